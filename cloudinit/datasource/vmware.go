package datasource

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/dockhost/dockhost/cloudinit"
)

// vmware is the VMware datasource: the hypervisor's guestinfo.
type vmware struct{ host *host }

func isVMware(h *host) bool {
	return strings.Contains(strings.ToLower(h.dmi("product_name")), "vmware")
}

func detectVMware(h *host) (string, bool) {
	return "DMI product name " + h.dmi("product_name"), isVMware(h)
}

func (v vmware) Name() string { return "VMware" }

func (v vmware) Read(ctx context.Context) (*cloudinit.UserData, error) {
	if !isVMware(v.host) {
		return nil, ErrNotFound
	}
	text, hadMeta, err := v.value(ctx, "metadata")
	if err != nil {
		return nil, err
	}
	user, hadUser, err := v.value(ctx, "userdata")
	if err != nil {
		return nil, err
	}
	if len(text) == 0 && len(user) == 0 {
		if hadMeta || hadUser {
			return nil, notFound("guestinfo was emptied (by cloud-init's redact: or cleanup-guestinfo:)")
		}
		return nil, ErrNotFound
	}
	m, err := parseMeta(text)
	if err != nil {
		return nil, fmt.Errorf("guestinfo.metadata: %w", err)
	}
	if len(user) == 0 && hadUser { // emptied after cloud-init had taken it
		if data := fetchedBefore(v.host, kind{name: "VMware"}); data != nil {
			return data, nil
		}
		return nil, notFound("guestinfo.userdata was emptied (by cloud-init's redact: or cleanup-guestinfo:)")
	}
	return &cloudinit.UserData{
		Datasource: "VMware", InstanceID: m.instanceID(v.host.uuid("iid-datasource")), Path: "guestinfo.userdata", Raw: user,
		Metadata: m.values(v.host, cloudNames{name: "vmware", cloud: "vmware", sub: "guestinfo (guestinfo.metadata)"}),
	}, nil
}

// value returns a decoded value of guestinfo, and whether it was ever set: "---"
// stands for a value that was removed.
func (v vmware) value(ctx context.Context, name string) (raw []byte, had bool, err error) {
	name = "guestinfo." + name
	raw, err = guestInfo(ctx, v.host, name)
	if err != nil || raw == nil {
		return nil, false, err
	}
	if text := strings.TrimSpace(string(raw)); text == "" || text == "---" {
		return nil, true, nil
	}
	encoding, err := guestInfo(ctx, v.host, name+".encoding")
	if err != nil {
		return nil, true, err
	}
	raw, err = decode(string(bytes.TrimSpace(encoding)), raw)
	if err != nil {
		return nil, true, fmt.Errorf("%s: %w", name, err)
	}
	return raw, true, nil
}

// decode undoes one of cloud-init's encodings of guestinfo. Gzipped user
// data stays packed; package cloudinit unpacks it.
func decode(encoding string, raw []byte) ([]byte, error) {
	switch encoding {
	case "base64", "b64", "gzip+base64", "gz+b64":
		decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(raw)), ""))
		if err != nil {
			return nil, errors.New("not base64, which its encoding says")
		}
		if strings.HasPrefix(encoding, "gz") {
			return gunzip(decoded)
		}
		return decoded, nil
	}
	return raw, nil
}

func gunzip(raw []byte) ([]byte, error) {
	packed, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, errors.New("not gzip, which its encoding says")
	}
	text, err := readCapped(packed)
	if err != nil {
		return nil, fmt.Errorf("unpack gzip: %w", err)
	}
	return text, nil
}
