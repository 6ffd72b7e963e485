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
	"github.com/dockhost/dockhost/internal/netns"
	"github.com/dockhost/dockhost/spec"
)

const (
	// probeTimeout bounds one try of a probe.
	probeTimeout = 5 * time.Second
	// maxHeader is the longest header of an answer to a probe, in bytes.
	maxHeader = 64 << 10
)

// byProbe is the readiness of a container that is ready when its port answers.
// The same probe, repeated, decides whether it is well.
type byProbe struct {
	noHooks

	with  surroundings
	probe spec.Probe
	id    string
	// first is the container's first process.
	first atomic.Pointer[process]
	// forget ends the tries for the process before a docker restart.
	forget context.CancelFunc
	// outside says that the container's network namespace cannot be entered.
	outside atomic.Bool
	// known are the container's addresses; nil before Docker was asked.
	known atomic.Pointer[[]netip.Addr]
	// failure is why the last try failed.
	failure string
}

func (p *byProbe) watch(ctx context.Context, id string, first *process) {
	p.first.Store(first)
	p.known.Store(nil)
	if p.forget == nil {
		p.id = id // docker restart keeps it, and a probe may be reading it
		p.with.watchdog.feedWhile(ctx, p.try)
	} else {
		p.forget()
	}
	ctx, p.forget = context.WithCancel(ctx)
	go p.untilReady(ctx)
}

func (p *byProbe) waitsFor() string {
	if p.failure == "" {
		return p.probe.String()
	}
	return p.probe.String() + ": " + p.failure
}

// untilReady tries, at first often, until the probe succeeds, or ctx ends.
func (p *byProbe) untilReady(ctx context.Context) {
	tries := backoff.Backoff{Next: 50 * time.Millisecond, Cap: time.Second}
	for {
		err := p.try(ctx)
		p.with.inbox.do(ctx, func() {
			switch {
			case ctx.Err() != nil: // the answer of a process before a docker restart
			case err == nil:
				p.with.readyNow()
			default:
				p.failure = err.Error()
				p.with.report.showUnready()
			}
		})
		if err == nil || tries.Wait(ctx) != nil {
			return
		}
	}
}

// try returns nil when the container answers at one of its addresses.
func (p *byProbe) try(ctx context.Context) error {
	timeout := probeTimeout
	if interval := p.with.watchdog.interval; interval > 0 {
		timeout = min(timeout, interval/4)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var problem error
	if !p.outside.Load() {
		problem = p.askAll(ctx, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
		if errors.Is(problem, netns.ErrNoEntry) {
			p.with.log.Info("probing the container from outside its network namespace", zap.Error(problem))
			p.outside.Store(true)
		}
	}
	if notListening(problem) || p.outside.Load() {
		addresses, err := p.addresses(ctx)
		if err != nil {
			return errors.New(firstLine(err.Error()))
		}
		if len(addresses) > 0 {
			problem = p.askAll(ctx, addresses...)
		}
	}
	return explainProbe(problem, timeout)
}

// notListening says whether the error means that no program listens at an
// address: one may then listen at another address.
func notListening(err error) bool {
	return errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENETUNREACH)
}

// askAll returns the answer of the first address that a program listens at: nil
// for a good one.
func (p *byProbe) askAll(ctx context.Context, addresses ...netip.Addr) error {
	problem := error(unix.ECONNREFUSED)
	for _, address := range addresses {
		problem = p.ask(ctx, netip.AddrPortFrom(address, p.probe.Port))
		if !notListening(problem) {
			return problem
		}
	}
	return problem
}

// addresses returns the container's addresses besides its localhost. It asks
// Docker once, since Docker may be away later.
func (p *byProbe) addresses(ctx context.Context) ([]netip.Addr, error) {
	if known := p.known.Load(); known != nil {
		return *known, nil
	}
	container, err := p.with.engine.Inspect(ctx, p.id)
	if other, joined := strings.CutPrefix(container.NetworkMode, "container:"); err == nil && joined {
		container, err = p.with.engine.Inspect(ctx, other)
	}
	if err != nil {
		return nil, err
	}
	addresses := container.Addresses
	switch {
	case p.outside.Load() && container.NetworkMode == "host":
		addresses = append(addresses, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
	case p.outside.Load() && len(addresses) == 0:
		return nil, fmt.Errorf("%w, and it has no address outside of it (run the unit as root, or use another notify)", netns.ErrNoEntry)
	}
	p.known.Store(&addresses)
	return addresses, nil
}

func (p *byProbe) dial(ctx context.Context, address netip.AddrPort) (net.Conn, error) {
	if p.outside.Load() {
		return new(net.Dialer).DialContext(ctx, "tcp", address.String())
	}
	first := p.first.Load()
	return netns.Dial(ctx, first.id(), first.alive, address)
}

// ask returns nil for a good answer: an accepted connection for tcp, a status of
// 2xx or 3xx for http and https.
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
		DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a probe does not check the certificate
	}
	url := fmt.Sprintf("%s://localhost:%d%s", p.probe.Scheme, p.probe.Port, p.probe.Path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "dockhost")
	response, err := transport.RoundTrip(request) // without following redirects
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode >= 400 {
		return errors.New(clean(response.Status))
	}
	return nil
}

// explainProbe shortens an error for a status line.
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
