package netwatch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The state changes with the host's own routes and its resolver, and stays as it is when
// the networks of containers change.
func TestState(t *testing.T) {
	const (
		head   = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
		local  = "eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
		world  = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
		used   = "eth0\t00000000\t0100A8C0\t0003\t7\t9\t0\t00000000\t0\t0\t0\n"
		inner  = "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
		world6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n"
		veth6  = "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 veth1234\n"
	)
	root := t.TempDir()
	write(t, filepath.Join(root, "sys/class/net/docker0/bridge/x"), "")
	write(t, filepath.Join(root, "sys/class/net/eth0/x"), "")
	files := map[string]string{"proc/net/route": head + local, "proc/net/ipv6_route": "", "etc/resolv.conf": "nameserver 192.0.2.1\n"}
	before := ""
	for _, step := range []struct {
		name, file, text string
		changes          bool
	}{
		{"the first look", "etc/hosts", "", true},
		{"a network of containers", "proc/net/route", head + local + inner, false},
		{"a container's interface", "proc/net/ipv6_route", veth6, false},
		{"a default route", "proc/net/route", head + local + inner + world, true},
		{"the use of a route", "proc/net/route", head + local + used, false},
		{"an IPv6 route", "proc/net/ipv6_route", veth6 + world6, true},
		{"another resolver", "etc/resolv.conf", "nameserver 192.0.2.2\n", true},
		{"a name", "etc/hosts", "192.0.2.3 registry.test\n", true},
	} {
		files[step.file] = step.text
		for file, text := range files {
			write(t, filepath.Join(root, file), text)
		}
		now := State(root)
		if (now != before) != step.changes {
			t.Errorf("%s: changes = %v, want %v:\n%s", step.name, now != before, step.changes, now)
		}
		before = now
	}
}

// The channel receives nothing while nothing changes, and ends with its context.
func TestWatchEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	changes, err := Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-changes: // a change of this machine
	case <-time.After(10 * time.Millisecond):
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
