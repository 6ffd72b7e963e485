package supervisor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// While a container is not healthy yet, it is told how far it is from failing.
func TestHealthFailures(t *testing.T) {
	r := newRig(t)
	r.spec.Notify = spec.NotifyHealthy
	r.spec.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "check"}, Retries: 5}
	results := make(chan int)
	r.program(func(ctx context.Context, p *enginetest.Process) int {
		for failures := range results {
			status := container.Starting
			if failures == 0 {
				status = container.Healthy
			}
			p.HealthStreak(status, failures, "")
		}
		return untilSIGTERM(0)(ctx, p)
	})
	l := r.start()
	l.until("unready", func() bool { return r.notify.count("STATUS running, waiting for its health check to pass") > 0 })
	for failures := 1; failures <= 2; failures++ {
		want := fmt.Sprintf("STATUS running, waiting for its health check to pass: %d of 5 tries failed", failures)
		l.until(want, func() bool {
			select {
			case results <- failures: // again: what listens may have begun later
			default:
			}
			return r.notify.count(want) > 0
		})
	}
	results <- 0
	l.ready()
	close(results)
	l.stop()
	l.ends(0, "")
}

// systemd is told nothing, as it asked for.
func TestNotifyOff(t *testing.T) {
	r := newRig(t)
	r.spec.Notify, r.watchdog = spec.NotifyOff, 10*time.Millisecond
	l := r.start()
	l.until("that it runs", func() bool { return l.state().Ready })
	l.stop()
	l.ends(0, "")
	if told := r.notify.all(); len(told) != 0 {
		t.Errorf("systemd was told %q, want nothing", told)
	}
}

// web is what a container serves, on the localhost that it shares with the
// test; the port it is probed at.
func web(t *testing.T, secure bool, handler http.HandlerFunc) (port string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// freePort is one that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// probing is a rig whose container is probed on this host: as one that shares
// its network, if the test may enter the namespaces of processes or not.
func probing(t *testing.T, notify string) *rig {
	t.Helper()
	r := newRig(t)
	r.spec.Notify = spec.Notify(notify)
	r.spec.HostConfig.NetworkMode = "host"
	return r
}

// A container that is probed is ready when it answers, and not before.
func TestProbe(t *testing.T) {
	tests := []struct {
		name, scheme string
		// bad is what it answers first, and why is what is said then.
		bad int
		why string
	}{
		{"http", "http", http.StatusServiceUnavailable, "503 Service Unavailable"},
		{"http, elsewhere", "http", http.StatusNotFound, "404 Not Found"},
		{"https", "https", http.StatusInternalServerError, "500 Internal Server Error"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked atomic.Value
			var status atomic.Int64
			status.Store(int64(test.bad))
			port := web(t, test.scheme == "https", func(w http.ResponseWriter, r *http.Request) {
				asked.Store(r.Method + " " + r.Host + r.URL.String())
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(int(status.Load()))
			})
			r := probing(t, test.scheme+"://:"+port+"/ready?deep=1")
			l := r.start()
			want := fmt.Sprintf("STATUS running, waiting for %s://:%s/ready: %s", test.scheme, port, test.why)
			l.until(want, func() bool { return r.notify.count(want) > 0 })
			if r.notify.count("READY") != 0 {
				t.Errorf("systemd was told that it is ready:\n%s", r.notify)
			}
			if got, want := asked.Load(), "GET localhost:"+port+"/ready?deep=1"; got != want {
				t.Errorf("the container was asked for %q, want %q", got, want)
			}
			status.Store(http.StatusFound)
			l.ready()
			l.stop()
			l.ends(0, "")
		})
	}
}

func TestProbeTCP(t *testing.T) {
	port := freePort(t)
	r := probing(t, "tcp:"+port)
	l := r.start()
	want := "STATUS running, waiting for tcp:" + port + ": connection refused"
	l.until(want, func() bool { return r.notify.count(want) > 0 })
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	l.ready()
	l.stop()
	l.ends(0, "")
}

// A stop because the start took too long says what was waited for; another one
// is no failure.
func TestStartTimesOut(t *testing.T) {
	for _, timeout := range []time.Duration{time.Hour, timeoutLag / 2} {
		t.Run(timeout.String(), func(t *testing.T) {
			port := freePort(t)
			r := probing(t, "tcp:"+port)
			r.units.timeoutStart = timeout
			l := r.start()
			l.until("why", func() bool { return r.notify.count("STATUS running, waiting for tcp:"+port+": connection refused") > 0 })
			l.stop()
			l.ends(0, "")
			last := l.state().LastError
			if timedOut := last != nil && strings.Contains(last.Message, "not ready within the unit's start timeout, waiting for tcp:"+port+": connection refused"); timedOut != (timeout < timeoutLag) {
				t.Errorf("last error = %+v with a start timeout of %s", last, timeout)
			}
		})
	}
}

// A container may listen at its own address alone, or at IPv6.
func TestProbeAddresses(t *testing.T) {
	for name, address := range map[string]string{"IPv4": "127.0.0.2", "IPv6": "::1"} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
			if err != nil {
				t.Skipf("this host has no %s: %v", name, err)
			}
			defer listener.Close()
			r := probing(t, fmt.Sprintf("tcp:%d", listener.Addr().(*net.TCPAddr).Port))
			r.networks(address)
			l := r.start()
			l.ready()
			l.stop()
			l.ends(0, "")
		})
	}
}

// networks says which addresses the container has.
func (r *rig) networks(addresses ...string) {
	image := r.app()
	image.Networks = map[string]*network.EndpointSettings{}
	for _, address := range addresses {
		settings := &network.EndpointSettings{IPAddress: address}
		if strings.Contains(address, ":") {
			settings = &network.EndpointSettings{GlobalIPv6Address: address}
		}
		image.Networks["net"+address] = settings
	}
	r.server.AddImage("app:1", image)
}

// Where the namespace of the container cannot be entered, its addresses are
// tried from outside.
func TestProbeFromOutside(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	probe := spec.Probe{Scheme: "tcp", Port: uint16(listener.Addr().(*net.TCPAddr).Port)}
	r := newRig(t)
	r.networks("127.0.0.3")
	l := r.start()
	l.ready()
	p := &byProbe{with: r.surroundings(), probe: probe, id: "app"}
	p.outside.Store(true)
	if err := p.try(t.Context()); err != nil {
		t.Errorf("try() = %v, want an answer", err)
	}
	r.spec.HostConfig.NetworkMode = "none"
	l.stop()
	l.ends(0, "")
}

// A probe of a container without any network says what to do.
func TestProbeNoAddress(t *testing.T) {
	r := newRig(t)
	l := r.start()
	l.ready()
	p := &byProbe{with: r.surroundings(), probe: spec.Probe{Scheme: "tcp", Port: 1}, id: "app"}
	p.outside.Store(true)
	if err := p.try(t.Context()); err == nil || !strings.Contains(err.Error(), "use another notify") {
		t.Errorf("try() = %v, want the cure", err)
	}
	l.stop()
	l.ends(0, "")
}

// A container that does not answer is not waited for long.
func TestProbeHangs(t *testing.T) {
	port := web(t, false, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := probing(t, "http://:"+port+"/")
	r.watchdog = 400 * time.Millisecond
	l := r.start()
	want := "STATUS running, waiting for http://:" + port + "/: no answer within 100ms"
	l.until(want, func() bool { return r.notify.count(want) > 0 })
	l.stop()
	l.ends(0, "")
}
