package datasource

import (
	"context"
	"path/filepath"

	"github.com/dockhost/dockhost/cloudinit"
)

// plainFiles is user data that somebody handed to the machine as a file, and
// meta-data beside it if they like: no datasource of cloud-init's.
type plainFiles struct {
	host *host
	name string
	// user and meta are paths, the first one that is there counts.
	user, meta string
}

// fwCfg is QEMU's firmware configuration device: user data from the command
// line of the hypervisor, without a disc and without a network.
func fwCfg(h *host) plainFiles {
	const dir = "/sys/firmware/qemu_fw_cfg/by_name/opt/com.github.dockhost"
	return plainFiles{h, "FwCfg", filepath.Join(dir, "user-data/raw"), filepath.Join(dir, "meta-data/raw")}
}

// credential is a credential of the system as systemd has it from the
// hypervisor (SMBIOS, fw_cfg), the boot loader or the initrd, systemd.system-credentials(7).
func credential(h *host) plainFiles {
	const dir = "/run/credentials/@system"
	return plainFiles{h, "Credential", filepath.Join(dir, "dockhost.user-data"), filepath.Join(dir, "dockhost.meta-data")}
}

func detectFwCfg(h *host) (string, bool) {
	return "QEMU fw_cfg opt/com.github.dockhost/user-data", h.exists(fwCfg(h).user)
}

func detectCredential(h *host) (string, bool) {
	return "the system credential dockhost.user-data", h.exists(credential(h).user)
}

func (p plainFiles) Name() string { return p.name }

func (p plainFiles) Read(context.Context) (*cloudinit.UserData, error) {
	raw, err := readFile(p.host.root, p.user)
	if absent(err) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	text, err := readFile(p.host.root, p.meta)
	if err != nil && !absent(err) {
		return nil, err
	}
	m, err := parseMeta(text)
	if err != nil {
		return nil, err
	}
	id := m.instanceID(p.host.uuid(p.name))
	return &cloudinit.UserData{
		Datasource: p.name, InstanceID: id, Path: p.user, Raw: raw,
		Metadata: m.values(p.host, cloudNames{name: "unknown"}),
	}, nil
}
