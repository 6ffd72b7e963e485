package datasource

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/cloudinit"
)

// seedDirs are the directories of the NoCloud datasource, in cloud-init's
// order (cloudinit/sources/DataSourceNoCloud.py).
func seedDirs() []string {
	return []string{"/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net"}
}

// noCloud is the NoCloud datasource: a seed directory, a disc labelled cidata,
// and words on the kernel's command line or in the serial number of SMBIOS,
// also all of them together.
type noCloud struct {
	options Options
	host    *host
}

func detectNoCloud(h *host) (string, bool) {
	if _, how := seedWords(h); how != "" {
		return how, true
	}
	if len(cidata(h)) > 0 {
		return "a disc labelled cidata", true
	}
	for _, dir := range seedDirs() {
		if h.exists(filepath.Join(dir, "user-data")) || h.exists(filepath.Join(dir, "meta-data")) {
			return "a seed directory", true
		}
	}
	return "", false
}

func cidata(h *host) []*disc { return h.labelled("cidata", "CIDATA") }

func (n noCloud) Name() string { return "NoCloud" }

// Read merges what there is as cloud-init does: of the meta-data, SMBIOS and
// the kernel's command line count most, then the seed directory, then the
// disc; of the user data, the other way round, and seedfrom counts most.
func (n noCloud) Read(ctx context.Context) (*cloudinit.UserData, error) {
	m, how := seedWords(n.host)
	data := &cloudinit.UserData{Datasource: "NoCloud", How: how, Path: how}
	var incomplete []string
	for _, seeds := range [][]files{n.dirs(), n.discs()} {
		for _, seed := range seeds {
			s, reason, err := readSeed(seed)
			if err != nil {
				return nil, err
			}
			if reason != "" {
				incomplete = append(incomplete, reason)
			}
			if s != nil {
				m = m.under(s.meta)
				data.Raw, data.Path, data.How = s.user, seed.path("user-data"), placeOf(seed)
				break
			}
		}
	}
	if data.How == "" {
		return nil, notFound(incomplete...)
	}
	if from := m.text("seedfrom"); from != "" {
		s, path, err := n.from(ctx, expandDMI(n.host, from))
		if err != nil {
			return nil, err
		}
		m = m.under(s.meta)
		data.Raw, data.Path = s.user, path
	}
	data.InstanceID = m.instanceID("nocloud")
	data.Metadata = m.values(n.host, cloudNames{name: "nocloud", cloud: "unknown", sub: subplatform(data)})
	return data, nil
}

func (n noCloud) dirs() (seeds []files) {
	for _, dir := range seedDirs() {
		seeds = append(seeds, directory{n.host.root, dir})
	}
	return seeds
}

func (n noCloud) discs() (seeds []files) {
	for _, d := range cidata(n.host) {
		seeds = append(seeds, d)
	}
	return seeds
}

func placeOf(seed files) string {
	if d, ok := seed.(*disc); ok {
		return "a disc labelled cidata in " + d.device
	}
	return "a seed directory"
}

func subplatform(data *cloudinit.UserData) string {
	if dir, _, ok := strings.Cut(data.Path, ":/"); ok && strings.HasPrefix(dir, "/dev/") {
		return "config-disk (" + dir + ")"
	}
	return "seed-dir (" + filepath.Dir(data.Path) + ")"
}

// seeded is what one place that has both files holds.
type seeded struct {
	user []byte
	meta metaData
}

// readSeed reads one place. NoCloud needs both files: if one is missing, readSeed
// returns nil and a reason, or "" if both are.
func readSeed(from files) (s *seeded, reason string, err error) {
	user, userErr := from.read("user-data")
	meta, metaErr := from.read("meta-data")
	switch {
	case absent(userErr) && absent(metaErr):
		return nil, "", nil
	case absent(userErr) && metaErr == nil:
		return nil, fmt.Sprintf("%q has meta-data but no user-data (create an empty user-data file for an instance without any)", from.path("")), nil
	case absent(metaErr) && userErr == nil:
		return nil, fmt.Sprintf("%q has user-data but no meta-data (create the file, for example with the line \"instance-id: my-host\"; it may be empty)", from.path("")), nil
	}
	if err := errors.Join(userErr, metaErr); err != nil {
		return nil, "", err
	}
	m, err := parseMeta(meta)
	if err != nil {
		return nil, "", err
	}
	return &seeded{user, m}, "", nil
}

// seedWords returns the meta-data in ds=nocloud;KEY=VALUE, of SMBIOS's serial
// number and of the kernel's command line, and where it stands.
func seedWords(h *host) (m metaData, how string) {
	m = metaData{}
	if words, ok := parseSeedWords(strings.Fields(h.dmi("product_serial"))); ok {
		m, how = words, "the serial number in SMBIOS"
	}
	value, _ := h.kernelArg("ds")
	if words, ok := parseSeedWords([]string{"ds=" + value}); ok {
		m = m.under(words)
		if how == "" {
			how = "the kernel's command line"
		}
	}
	return m, how
}

func parseSeedWords(words []string) (metaData, bool) {
	for _, word := range slices.Backward(words) {
		fields := strings.Split(word, ";")
		if fields[0] != "ds=nocloud" && fields[0] != "ds=nocloud-net" {
			continue
		}
		m := metaData{}
		for _, field := range fields[1:] {
			key, value, _ := strings.Cut(field, "=")
			switch key {
			case "":
				continue
			case "h":
				key = "local-hostname"
			case "i":
				key = "instance-id"
			case "s":
				key = "seedfrom"
			}
			m[key] = value
		}
		return m, true
	}
	return nil, false
}

var dmiVariable = regexp.MustCompile(`__dmi\.([^_]+)__`)

// expandDMI replaces __dmi.system-uuid__ and the like, by dmidecode's names
// (cloudinit/dmi.py, sub_dmi_vars). Unknown names stay as they are.
func expandDMI(h *host, text string) string {
	return dmiVariable.ReplaceAllStringFunc(text, func(variable string) string {
		field, ok := dmiField(strings.TrimSuffix(strings.TrimPrefix(variable, "__dmi."), "__"))
		if !ok {
			return variable
		}
		return h.dmi(field)
	})
}

// dmiField returns the kernel's name for one of dmidecode's.
func dmiField(name string) (string, bool) {
	part, field, _ := strings.Cut(name, "-")
	known := map[string]string{
		"baseboard": "board", "bios": "bios", "chassis": "chassis", "system": "product",
	}
	short := map[string]string{
		"asset-tag": "asset_tag", "manufacturer": "vendor", "product-name": "name", "serial-number": "serial",
		"version": "version", "release-date": "date", "vendor": "vendor", "uuid": "uuid",
	}
	if known[part] == "" || short[field] == "" {
		return "", false
	}
	if name == "system-manufacturer" {
		return "sys_vendor", true
	}
	return known[part] + "_" + short[field], true
}

// from reads the seed that seedfrom names: a directory of the host, or files
// below a URL.
func (n noCloud) from(ctx context.Context, where string) (*seeded, string, error) {
	if dir := strings.TrimPrefix(where, "file://"); strings.HasPrefix(dir, "/") {
		place := directory{n.host.root, dir}
		s, reason, err := readSeed(place)
		if err == nil && s == nil {
			err = fmt.Errorf("seedfrom %q: %w", dir, notFound(reason))
		}
		return s, place.path("user-data"), err
	}
	if !strings.HasPrefix(where, "http://") && !strings.HasPrefix(where, "https://") {
		return nil, "", errors.New("seedfrom is neither a directory nor a file://, http:// or https:// URL")
	}
	meta, err := fetch(ctx, n.options, seedURL(where, "meta-data"))
	if err != nil {
		return nil, "", fmt.Errorf("seedfrom: %w", err)
	}
	user, err := fetch(ctx, n.options, seedURL(where, "user-data"))
	if err != nil {
		return nil, "", fmt.Errorf("seedfrom: %w", err)
	}
	m, err := parseMeta(meta)
	return &seeded{user, m}, withoutLogin(seedURL(where, "user-data")), err
}

// seedURL returns the URL of one file (cloudinit/util.py, read_seeded).
func seedURL(base, name string) string {
	if strings.Contains(base, "%s") {
		return strings.ReplaceAll(base, "%s", name)
	}
	if !strings.HasSuffix(base, "/") && !strings.Contains(base, "?") {
		base += "/"
	}
	return base + name
}
