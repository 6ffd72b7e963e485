package datasource

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// findRouter returns the virtual router of a CloudStack network, which runs the
// metadata service. It takes DNS's address of data-server, then the DHCP server,
// then the default gateway (docs.cloudstack.apache.org, user-data).
func findRouter(ctx context.Context, h *host, lookup lookup) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if found, err := lookup(ctx, "data-server"); err == nil && len(found) > 0 {
		return []string{"http://" + bracketed(found[0])}, nil
	}
	for _, find := range []func(root string) string{networkdServer, dhclientServer, defaultGateway} {
		if ip, err := netip.ParseAddr(find(h.root)); err == nil {
			return []string{"http://" + bracketed(ip.String())}, nil
		}
	}
	return nil, errors.New("no lease of DHCP and no default route yet")
}

func bracketed(ip string) string {
	if strings.Contains(ip, ":") {
		return "[" + ip + "]"
	}
	return ip
}

// networkdServer is the DHCP server of systemd-networkd's first lease.
func networkdServer(root string) string {
	leases, _ := filepath.Glob(filepath.Join(root, "/run/systemd/netif/leases/*"))
	slices.Sort(leases)
	for _, lease := range leases {
		raw, _ := readFile("", lease)
		for line := range strings.Lines(string(raw)) {
			if server, ok := strings.CutPrefix(strings.TrimSpace(line), "SERVER_ADDRESS="); ok {
				return server
			}
		}
	}
	return ""
}

// dhclientServer is the DHCP server of dhclient's latest lease, which is the
// last one in the newest file (dhclient.leases(5)).
func dhclientServer(root string) string {
	var newest string
	var at time.Time
	for _, pattern := range []string{"/var/lib/dhcp/*.lease*", "/var/lib/dhclient/*.lease*", "/var/lib/NetworkManager/dhclient-*.lease"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, name := range found {
			if info, err := os.Stat(name); err == nil && info.ModTime().After(at) {
				newest, at = name, info.ModTime()
			}
		}
	}
	if newest == "" {
		return ""
	}
	raw, _ := readFile("", newest)
	server := ""
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "option dhcp-server-identifier "); ok {
			server = strings.TrimSuffix(value, ";")
		}
	}
	return server
}

// defaultGateway is that of the first default route (proc_pid_net(5): the
// address is a hexadecimal number in the host's byte order).
func defaultGateway(root string) string {
	raw, _ := readFile(root, "/proc/net/route")
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != "00000000" || fields[2] == "00000000" {
			continue
		}
		if number, err := hex.DecodeString(fields[2]); err == nil && len(number) == 4 {
			ip := make(net.IP, 4)
			binary.NativeEndian.PutUint32(ip, binary.BigEndian.Uint32(number))
			return ip.String()
		}
	}
	return ""
}
