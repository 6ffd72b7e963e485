package config

import (
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/internal/document"
)

// Listen are the interfaces for other machines and programs. All are off by default.
type Listen struct {
	// Health is the TCP address for load balancers, Metrics the one for Prometheus; ""
	// for none.
	Health, Metrics string
	// Textfile is the file for the textfile collector of node_exporter; "" for none.
	Textfile string
}

// listen reads health and metrics.
func (r reader) listen(top document.Spot) Listen {
	var l Listen
	if at := top.Field("health"); r.mapping(at, `listen: ":8081"`) {
		l.Health = r.address(at.Field("listen"))
	}
	at := top.Field("metrics")
	if !r.mapping(at, `listen: ":9469"`) {
		return l
	}
	l.Metrics = r.address(at.Field("listen"))
	if l.Metrics != "" && l.Metrics == l.Health {
		r.Errorf(at.Field("listen"), "health listens there already: write another port")
	}
	if file := at.Field("textfile"); file.Present() && !file.IsNull() {
		l.Textfile = file.Text()
		if !filepath.IsAbs(l.Textfile) || filepath.Clean(l.Textfile) != l.Textfile || filepath.Ext(l.Textfile) != ".prom" {
			r.Errorf(file, "not an absolute path that ends in .prom, such as /var/lib/prometheus/node-exporter/dockhost.prom")
		}
	}
	return l
}

// address reads a TCP address. A name is refused: at boot nothing may resolve it.
func (r reader) address(at document.Spot) string {
	if !at.Present() || at.IsNull() {
		return ""
	}
	if err := checkAddress(at.Text()); err != nil {
		r.Errorf(at, "%s", err)
	}
	return at.Text()
}

func checkAddress(text string) error {
	host, port, err := net.SplitHostPort(text)
	number, portErr := strconv.ParseUint(port, 10, 16)
	_, addressErr := netip.ParseAddr(host)
	if err != nil || portErr != nil || number == 0 || host != "" && addressErr != nil || strings.ContainsAny(text, " %") {
		return errors.New(`not an address: write ":8081", or with an IP address "127.0.0.1:8081"`)
	}
	return nil
}
