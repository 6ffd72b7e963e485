package datasource

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/document"
)

// kind is one of cloud-init's datasources, as this package knows it.
type kind struct {
	// name is cloud-init's: "Ec2". Two kinds have the same name where one place
	// on the host is asked before the metadata service.
	name string
	// detect reports whether this may be the host's datasource, and says in a few
	// words why. It reads only the host's own marks: DMI, disks, files, the
	// kernel's command line.
	detect func(h *host) (how string, ok bool)
	// open makes the Source. It is cheap: Read does the work.
	open func(o Options, h *host) Source
}

// kinds returns all datasources in the order in which they are tried.
func kinds() []kind { return slices.Concat(localKinds(), networkKinds()) }

// localKinds are the datasources that need no metadata service, in Debian's
// order for cloud-init; then what cloud-init does not have.
func localKinds() []kind {
	return []kind{
		{"NoCloud", detectNoCloud, func(o Options, h *host) Source { return noCloud{o, h} }},
		{"ConfigDrive", detectConfigDrive, func(_ Options, h *host) Source { return configDrive{h} }},
		{"Azure", detectAzureDisc, func(_ Options, h *host) Source { return azureDisc{h} }},
		{"VMware", detectVMware, func(_ Options, h *host) Source { return vmware{h} }},
		{"OVF", detectOVF, func(o Options, h *host) Source { return ovf{o, h} }},
		{"LXD", detectLXD, func(o Options, h *host) Source { return lxd{o, h} }},
		{"FwCfg", detectFwCfg, func(_ Options, h *host) Source { return fwCfg{h} }},
		{"Cmdline", detectCmdline, func(o Options, h *host) Source { return cmdline{o, h} }},
	}
}

// Names returns the names of all datasources, in the order in which they are
// tried.
func Names() []string {
	var names []string
	for _, k := range kinds() {
		if !slices.Contains(names, k.name) {
			names = append(names, k.name)
		}
	}
	return names
}

// CheckName returns the name of a datasource in its usual spelling; case does
// not count. The error for an unknown name suggests a similar one.
func CheckName(name string) (string, error) {
	known := Names()
	lower := make([]string, len(known))
	for i, k := range known {
		if strings.EqualFold(k, name) {
			return k, nil
		}
		lower[i] = strings.ToLower(k)
	}
	hint := ""
	if near := document.Nearest(strings.ToLower(name), lower); near != "" {
		hint = fmt.Sprintf(": did you mean %s?", known[slices.Index(lower, near)])
	}
	return "", fmt.Errorf("unknown datasource %q%s (known: %s)", name, hint, strings.Join(known, ", "))
}

// found is a kind to try, and how it was found.
type found struct {
	kind
	how string
	// local is true for kinds that need no metadata service.
	local bool
}

// choose returns the kinds to try: those in names, in that order; without names
// the one on the kernel's command line; without that those that the host's marks
// point to.
func choose(h *host, names []string) ([]found, error) {
	how := "the configuration"
	if len(names) == 0 {
		if name, ok := kernelDatasource(h); ok {
			names, how = []string{name}, "the kernel's command line"
		}
	}
	if len(names) > 0 {
		return named(names, how)
	}
	var chosen []found
	locals := len(localKinds())
	for i, k := range kinds() {
		if how, ok := k.detect(h); ok {
			chosen = append(chosen, found{k, how, i < locals})
		}
	}
	return chosen, nil
}

func named(names []string, how string) ([]found, error) {
	var chosen []found
	for _, name := range names {
		name, err := CheckName(name)
		if err != nil {
			return nil, err
		}
		for i, k := range kinds() {
			if k.name == name {
				chosen = append(chosen, found{k, how, i < len(localKinds())})
			}
		}
	}
	return chosen, nil
}

// kernelDatasource returns the datasource that ds= or ci.ds= names, as
// cloud-init's ds-identify takes it. Names that
// this package does not know are ignored.
func kernelDatasource(h *host) (string, bool) {
	for _, arg := range []string{"ci.datasource", "ci.ds", "ds"} {
		value, ok := h.kernelArg(arg)
		if !ok {
			continue
		}
		value, _, _ = strings.Cut(value, ";")
		if strings.EqualFold(value, "nocloud-net") {
			value = "NoCloud"
		}
		if name, err := CheckName(value); err == nil {
			return name, true
		}
	}
	return "", false
}
