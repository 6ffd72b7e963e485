package supervisor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/spec"
)

// probeTimeout bounds one try of a probe.
const probeTimeout = 5 * time.Second

// byProbe is the readiness of a container whose port answers. The same probe,
// repeated, says whether it is well.
type byProbe struct {
	common

	s     *Supervisor
	probe spec.Probe
	id    string
	pid   atomic.Int64
	// outside says that the container's network namespace cannot be entered.
	outside atomic.Bool
	// known are the container's addresses once they were asked for.
	known atomic.Pointer[[]netip.Addr]
	// failed is why the last try failed.
	failed string
}

func (p *byProbe) watch(ctx context.Context, id string, pid int) {
	p.id = id
	again := p.pid.Swap(int64(pid)) != 0 // Docker has started the container again
	p.known.Store(nil)
	go func() {
		if p.untilReady(ctx) && !again {
			p.s.feedWatchdog(ctx, p.try)
		}
	}()
}

func (p *byProbe) waitsFor() string {
	if p.failed == "" {
		return p.probe.String()
	}
	return p.probe.String() + ": " + p.failed
}

// untilReady tries until the probe succeeds, often at first, and returns true;
// or until ctx ends.
func (p *byProbe) untilReady(ctx context.Context) bool {
	tries := backoff.Backoff{Next: 50 * time.Millisecond, Cap: time.Second}
	for {
		err := p.try(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			p.s.call(ctx, p.s.life.ready)
			return true
		}
		p.s.call(ctx, func() {
			p.failed = err.Error()
			p.s.sayUnready()
		})
		if tries.Wait(ctx) != nil {
			return false
		}
	}
}

// try returns nil when the container answers at one of its addresses.
func (p *byProbe) try(ctx context.Context) error {
	timeout := probeTimeout
	if p.s.Watchdog > 0 {
		timeout = min(timeout, p.s.Watchdog/4)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var why error
	if !p.outside.Load() {
		why = p.askAll(ctx, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
		if errors.Is(why, errNoEntry) {
			p.s.Log.Info("probing the container from outside its network namespace", zap.Error(why))
			p.outside.Store(true)
		}
	}
	if nobodyListens(why) || p.outside.Load() {
		addresses, err := p.addresses(ctx)
		if err != nil {
			return errors.New(firstLine(err.Error()))
		}
		if len(addresses) > 0 {
			why = p.askAll(ctx, addresses...)
		}
	}
	return explainProbe(why, timeout)
}

// nobodyListens says whether nothing listens at an address, so that something may
// listen at another one.
func nobodyListens(err error) bool {
	return errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENETUNREACH)
}

// askAll returns nil when one of the addresses answers as it should, or the
// answer of the first one that something listens at.
func (p *byProbe) askAll(ctx context.Context, addresses ...netip.Addr) error {
	why := error(unix.ECONNREFUSED)
	for _, address := range addresses {
		why = p.ask(ctx, netip.AddrPortFrom(address, p.probe.Port))
		if !nobodyListens(why) {
			return why
		}
	}
	return why
}

// addresses are the container's as the probe sees them, beside its localhost.
// They are asked for once: Docker may be away later.
func (p *byProbe) addresses(ctx context.Context) ([]netip.Addr, error) {
	if known := p.known.Load(); known != nil {
		return *known, nil
	}
	found, err := p.s.Engine.Inspect(ctx, p.id)
	if other, joined := strings.CutPrefix(found.NetworkMode, "container:"); err == nil && joined {
		found, err = p.s.Engine.Inspect(ctx, other)
	}
	if err != nil {
		return nil, err
	}
	addresses := found.Addresses
	switch {
	case p.outside.Load() && found.NetworkMode == "host":
		addresses = append(addresses, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
	case p.outside.Load() && len(addresses) == 0:
		return nil, fmt.Errorf("%w, and it has no address outside of it (run the unit as root, or use another notify)", errNoEntry)
	}
	p.known.Store(&addresses)
	return addresses, nil
}

func (p *byProbe) dial(ctx context.Context, address netip.AddrPort) (net.Conn, error) {
	if p.outside.Load() {
		return new(net.Dialer).DialContext(ctx, "tcp", address.String())
	}
	return dialInside(ctx, int(p.pid.Load()), address)
}

// ask returns nil when the container answers as it should: tcp by taking the
// connection, http and https by 2xx or 3xx.
func (p *byProbe) ask(ctx context.Context, address netip.AddrPort) error {
	if p.probe.Scheme == "tcp" {
		conn, err := p.dial(ctx, address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return p.dial(ctx, address) },
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // whose certificate it is, the probe does not ask
	}
	url := fmt.Sprintf("%s://localhost:%d%s", p.probe.Scheme, p.probe.Port, p.probe.Path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "dockhost")
	response, err := transport.RoundTrip(request) // follows no redirect
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode >= 400 {
		return errors.New(response.Status)
	}
	return nil
}

// explainProbe puts an error into few words.
func explainProbe(err error, timeout time.Duration) error {
	var number unix.Errno
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s", timeout.Round(time.Millisecond))
	case errors.As(err, &number):
		return number
	}
	return err
}
