package datasource

import (
	"context"
	"path/filepath"

	"github.com/dockhost/dockhost/cloudinit"
)

// fwCfg is QEMU's firmware configuration device: user data from the command
// line of the hypervisor, without disc and network, and optionally meta-data.
// cloud-init has no such datasource.
type fwCfg struct{ host *host }

func fwCfgFile(name string) string {
	return filepath.Join("/sys/firmware/qemu_fw_cfg/by_name/opt/com.github.dockhost", name, "raw")
}

func detectFwCfg(h *host) (string, bool) {
	return "QEMU fw_cfg opt/com.github.dockhost/user-data", h.exists(fwCfgFile("user-data"))
}

func (f fwCfg) Name() string { return "FwCfg" }

func (f fwCfg) Read(context.Context) (*cloudinit.UserData, error) {
	path := fwCfgFile("user-data")
	raw, err := readFile(f.host.root, path)
	if absent(err) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	text, err := readFile(f.host.root, fwCfgFile("meta-data"))
	if err != nil && !absent(err) {
		return nil, err
	}
	m, err := parseMeta(text)
	if err != nil {
		return nil, err
	}
	id := m.instanceID(f.host.uuid("fwcfg"))
	return &cloudinit.UserData{
		Datasource: "FwCfg", InstanceID: id, Path: path, Raw: raw,
		Metadata: m.values(f.host, cloudNames{name: "unknown"}),
	}, nil
}
