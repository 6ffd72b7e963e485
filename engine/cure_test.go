package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/internal/cure"
)

func TestConnectionCure(t *testing.T) {
	for text, want := range map[string]string{
		`Get "https://none.invalid/v2/": dial tcp: lookup none.invalid on 10.0.0.2:53: no such host`:          "DNS",
		`Get "https://r.example/v2/": dial tcp: lookup r.example: Temporary failure in name resolution`:       "DNS",
		`Get "https://r.example/v2/": dial tcp: lookup r.example on 10.0.0.2:53: read udp: i/o timeout`:       "DNS",
		`Get "https://r.example/v2/": dial tcp 10.0.0.9:443: connect: connection refused`:                     "network and firewalls",
		`Get "https://r.example/v2/": tls: failed to verify certificate: x509: certificate signed by unknown`: "certs.d",
		`Head "https://r.example/v2/web/manifests/1": unauthorized: authentication required`:                  "login",
	} {
		if got := connectionCure(errors.New(text)); !strings.Contains(got, want) {
			t.Errorf("connectionCure(%s) = %q, want %q in it", text, got, want)
		}
	}
}

func TestFirewall(t *testing.T) {
	for text, want := range map[string]bool{
		"driver failed programming external connectivity on endpoint web:  (iptables failed: iptables --wait -t nat -A DOCKER -p tcp: iptables: No chain/target/match by that name.\n (exit status 1))": true,
		"Failed to Setup IP tables: Unable to enable SKIP DNAT rule:  (iptables failed: iptables --wait -t nat -I DOCKER -i br-1 -j RETURN: iptables v1.8.9 (nf_tables): Chain 'DOCKER' does not exist": true,
		"network web does not exist": false,
		"driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:80 failed: port is already allocated": false,
	} {
		err := translate(errors.New(text))
		if got := strings.HasPrefix(err.Error(), firewallCure); got != want {
			t.Errorf("translate(%s) = %q, want the cure: %v", text, err, want)
		}
	}
}

// A disk that was full while a container was created or started has been mended when there is room.
func TestNoSpaceIsCuredByRoom(t *testing.T) {
	for text, want := range map[string]bool{
		"mkdir /var/lib/docker/overlay2/0123: no space left on device":                                                           true,
		"failed to create task for container: write /run/containerd/0123/config.json: no space left on device: unknown":          true,
		"driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:80 failed: port is already allocated": false,
	} {
		err := translate(errors.New(text))
		if got := slices.Contains(cure.Of(err), cure.Cure{Kind: cure.Disk}); got != want || err.Error() != text {
			t.Errorf("translate(%s) = %q, cured by room: %t, want %t", text, err, got, want)
		}
	}
}
