package units_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/systemd/units"
)

// Nothing in the unit of a container limits the container: systemd applies these settings
// to the cgroup, in which the container is, too.
func TestContainerUnitLimitsOnlyItsSupervisor(t *testing.T) {
	forCgroups := []string{
		"DeviceAllow", "DevicePolicy", "PrivateDevices", "ProtectClock", "IPAddressAllow", "IPAddressDeny",
		"IPIngressFilterPath", "IPEgressFilterPath", "BPFProgram", "RestrictFileSystems", "RestrictNetworkInterfaces",
		"SocketBindAllow", "SocketBindDeny", "NFTSet", "MemoryMax", "MemoryHigh", "MemorySwapMax", "MemoryZSwapMax", "TasksMax",
		"CPUQuota", "AllowedCPUs", "AllowedMemoryNodes", "IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax",
	}
	for line := range strings.Lines(units.Container) {
		key, _, _ := strings.Cut(line, "=")
		if slices.Contains(forCgroups, key) {
			t.Errorf("dockhost@.service has %s=, which limits the container", key)
		}
	}
}
