package datasource

import (
	"context"

	"github.com/dockhost/dockhost/cloudinit"
)

// cmdline is the URL of a cloud-config on the kernel's command line,
// cloud-config-url=, as coreos-cloudinit takes it for user data, and
// cloud-init for a part of its own configuration.
type cmdline struct {
	options Options
	host    *host
}

func detectCmdline(h *host) (string, bool) {
	from, _ := h.kernelArg("cloud-config-url")
	return "cloud-config-url= on the kernel's command line", from != ""
}

func (c cmdline) Name() string { return "Cmdline" }

func (c cmdline) Read(ctx context.Context) (*cloudinit.UserData, error) {
	from, _ := c.host.kernelArg("cloud-config-url")
	if from == "" {
		return nil, ErrNotFound
	}
	raw, err := fetch(ctx, c.options, from)
	if err != nil {
		return nil, err
	}
	m := metaData{}
	id := m.instanceID(c.host.uuid("cmdline"))
	return &cloudinit.UserData{
		Datasource: "Cmdline", InstanceID: id, Path: withoutLogin(from), Raw: raw,
		Metadata: m.values(c.host, cloudNames{name: "unknown"}),
	}, nil
}
