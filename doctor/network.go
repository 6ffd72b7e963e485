package doctor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/cloudinit/datasource"
)

// networkPatience bounds checks that make requests to other machines.
const networkPatience = 15 * time.Second

func networkChecks() []Check {
	const area = "network"
	return []Check{
		{ID: "clock", Area: area, Title: "the clock is right", examine: checkClock},
		{ID: "metadata", Area: area, Title: "the metadata service answers the host", patience: networkPatience, examine: checkMetadata},
		{ID: "metadata-container", Area: area, Title: "the metadata service answers containers", patience: networkPatience, examine: checkMetadataInside},
		{ID: "link-local", Area: area, Title: "EC2 drops no packet to its link-local services", examine: checkLinkLocal},
	}
}

func checkClock(ctx context.Context, h *host) []Finding {
	if h.Now.Year() < 2025 {
		return fail("the clock says "+h.Now.Format(time.DateOnly)+", so no certificate is valid", "timedatectl set-ntp true")
	}
	out, err := h.Command(ctx, "timedatectl", "show", "--property=NTPSynchronized", "--value")
	switch {
	case err != nil:
		return cannotAsk("whether the clock is synchronized", err)
	case strings.TrimSpace(out) == "yes":
		return ok("the clock is synchronized")
	}
	return warn("nothing synchronizes the clock; if it is wrong, certificates and logins are refused", "timedatectl set-ntp true; it needs systemd-timesyncd or chrony")
}

// service returns the datasource to ask; "" lets the host's marks decide.
func (h *host) service() string {
	s, err := h.status()
	if err != nil {
		return ""
	}
	return s.Source.Datasource
}

func checkMetadata(ctx context.Context, h *host) []Finding {
	name := h.service()
	address, err := h.Metadata(ctx, name, 0)
	switch {
	case errors.Is(err, datasource.ErrNotFound) && name != "":
		return skip("user data of " + name + " does not come from a metadata service")
	case errors.Is(err, datasource.ErrNotFound):
		return skip("this host has no metadata service")
	case err != nil && h.locked():
		return fail("systemd-imdsd has locked the metadata service, and lets nobody else reach it: "+err.Error(), "boot with systemd.imds=no, or without the lock; see: systemctl status systemd-imdsd.service")
	case err != nil:
		found, cure := split(err.Error(), "check that the metadata service is turned on for this instance, and: ip route get 169.254.169.254")
		return fail(found, cure)
	}
	return ok("the metadata service at " + address + " answers")
}

// locked says whether a route refuses all packets to the metadata service, as the locked
// mode of systemd-imdsd (261) sets it. The address is little-endian, and 0x200 is
// RTF_REJECT.
func (h *host) locked() bool {
	const metadata, reject = "FEA9FEA9", 0x200
	text, err := h.read("/proc/net/route")
	if err != nil {
		return false
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[1] != metadata {
			continue
		}
		if flags, err := strconv.ParseUint(fields[3], 16, 32); err == nil && flags&reject != 0 {
			return true
		}
	}
	return false
}

func checkMetadataInside(ctx context.Context, h *host) []Finding {
	name := h.service()
	if _, err := h.Metadata(ctx, name, 0); err != nil {
		return skip("the host itself has no metadata service")
	}
	if h.User != 0 {
		return needsRoot()
	}
	s, err := h.status()
	if err != nil {
		return skip("nobody says what runs")
	}
	for i := range s.Containers {
		inspected, err := h.Engine.Inspect(ctx, s.Containers[i].ID)
		mode := container.NetworkMode(inspected.NetworkMode)
		if err != nil || inspected.Pid == 0 || mode.IsHost() || mode.IsNone() || mode.IsContainer() {
			continue
		}
		address, err := h.Metadata(ctx, name, inspected.Pid)
		if err != nil {
			return warn(fmt.Sprintf("containers in a network of Docker cannot reach the metadata service, which they need only for the cloud's own identities: %v", err),
				"raise the hop limit to 2 (EC2: aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2), or use network_mode: host")
		}
		return ok("the metadata service at " + address + " answers " + s.Containers[i].Name)
	}
	return skip("no container runs in a network of its own")
}

// linkLocalCounter counts the packets that EC2 has dropped, because an interface sent
// more than 1024 a second to the metadata service, DNS and the time service.
const linkLocalCounter = "linklocal_allowance_exceeded"

func checkLinkLocal(ctx context.Context, h *host) []Finding {
	var asked bool
	for _, path := range h.glob("/sys/class/net/*/device/vendor") {
		if vendor, err := h.read(path); err != nil || strings.TrimSpace(vendor) != "0x1d0f" { // Amazon
			continue
		}
		name := filepath.Base(filepath.Dir(filepath.Dir(path)))
		out, err := h.Command(ctx, "ethtool", "-S", name)
		if err != nil {
			return cannotAsk("how many packets EC2 has dropped", err)
		}
		asked = true
		for line := range strings.Lines(out) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			if dropped := strings.TrimSpace(value); key == linkLocalCounter && dropped != "0" {
				return warn(fmt.Sprintf("EC2 has dropped %s packets of %s to the metadata service, DNS or the time service", dropped, name),
					"find what asks so often (tcpdump -n host 169.254.169.254 or port 53), and use a caching resolver")
			}
		}
	}
	if !asked {
		return skip("this host has no network interface of EC2")
	}
	return ok("EC2 has dropped no packet to its link-local services")
}
