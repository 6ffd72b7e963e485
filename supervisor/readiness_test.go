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
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// The status of a container that is not healthy yet says how many checks failed.
func TestHealthFailures(t *testing.T) {
	r := newRig(t)
	r.spec.Notify = spec.NotifyHealthy
	r.spec.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "check"}, Retries: 5}
	r.spec.Config.Env = []string{"PASSWORD=s3cret-word"}
	results := make(chan int)
	r.program(func(ctx context.Context, p *enginetest.Process) int {
		for failures := range results {
			status := container.Starting
			if failures == 0 {
				status = container.Healthy
			}
			p.HealthStreak(status, failures, "trying\nconnection refused for s3cret-word\n")
		}
		return untilSIGTERM(0)(ctx, p)
	})
	l := r.start()
	l.until("unready", func() bool { return r.notify.count("STATUS running, waiting for its health check to pass") > 0 })
	for failures := 1; failures <= 2; failures++ {
		want := fmt.Sprintf("STATUS running, waiting for its health check to pass: %d of 5 tries failed: exit status 1: connection refused for ***", failures)
		l.until(want, func() bool {
			select {
			case results <- failures: // repeated: the listener may have started later
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

// web serves what the container would serve, on the host's localhost, and returns
// the port.
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

// freePort returns a port at which no process listens.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// probing returns a rig whose container shares the host's network, so that the
// probe works whether or not the test may enter network namespaces.
func probing(t *testing.T, notify string) *rig {
	t.Helper()
	r := newRig(t)
	r.spec.Notify = spec.Notify(notify)
	r.spec.HostConfig.NetworkMode = "host"
	return r
}

// A container with a probe is ready when the probe succeeds.
func TestProbe(t *testing.T) {
	tests := []struct {
		name, scheme string
		// bad is the first answer, and why is the status that it leads to.
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
				t.Errorf("the container counts as ready:\n%s", r.notify)
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

// A stop after the start timeout records what the container waited for. Another
// stop records no failure.
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

// A container may listen only at its own address, or only at IPv6.
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

// networks sets the container's addresses.
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

// If the container's network namespace cannot be entered, its addresses are probed
// from outside.
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

// The error of a probe without any address says what to do.
func TestProbeNoAddress(t *testing.T) {
	r := newRig(t)
	l := r.start()
	l.ready()
	p := &byProbe{with: r.surroundings(), probe: spec.Probe{Scheme: "tcp", Port: 1}, id: "app"}
	p.outside.Store(true)
	if err := p.try(t.Context()); err == nil || !strings.Contains(err.Error(), "use another notify") {
		t.Errorf("try() = %v, want an error with the cure", err)
	}
	l.stop()
	l.ends(0, "")
}

// A probe waits for an answer for a limited time.
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

// A container that is being stopped is not ill when its health check fails.
func TestFailingCheckDuringStop(t *testing.T) {
	const stopTimeout = 1 // seconds
	for _, through := range []string{"systemd", "Docker"} {
		t.Run(through, func(t *testing.T) {
			r := newRig(t)
			r.spec.Config.StopTimeout = new(stopTimeout)
			core, logs := observer.New(zap.InfoLevel)
			r.log = zap.New(core)
			failed, end := make(chan struct{}), make(chan struct{})
			r.program(func(_ context.Context, p *enginetest.Process) int {
				<-p.Signals
				p.Health(container.Unhealthy, "")
				close(failed)
				<-end
				return 0
			})
			l := r.start()
			l.ready()
			if through == "systemd" {
				l.stop()
			} else if err := r.engine().Kill(t.Context(), l.state().ContainerID, "TERM"); err != nil {
				t.Fatal(err)
			}
			<-failed
			r.server.Pause("app", true) // its event comes after that of the check
			l.until("paused", func() bool { return logs.FilterMessageSnippet("paused or unpaused").Len() > 0 })
			if health := l.state().Health; health == container.Unhealthy {
				t.Error("the health is that of a container that is being stopped")
			}
			if through == "Docker" { // it does not end
				l.until("unhealthy after the grace period", func() bool { return l.state().Health == container.Unhealthy })
				l.stop()
			}
			close(end)
			l.ends(0, "")
			if said := logs.FilterMessageSnippet("is unhealthy").Len(); (said > 0) != (through == "Docker") {
				t.Errorf("said %d times that the container is unhealthy", said)
			}
		})
	}
}

// With notify: healthy a container is ready when it is healthy, and stays ready.
func TestHealthy(t *testing.T) {
	r := newRig(t)
	r.spec.Notify, r.units.timeoutStart = spec.NotifyHealthy, 90*time.Second
	health := make(chan container.HealthStatus)
	r.program(controlled(health, nil))
	l := r.start()
	const unready = "STATUS running, waiting for its health check to pass"
	l.until(unready, func() bool { return r.notify.count(unready) > 0 })
	health <- container.Unhealthy
	// The start timeout is extended after the container was shown as unready.
	l.until("the unit's whole start timeout", func() bool { return r.notify.count("EXTEND 1m30s") == 1 })
	if state := l.state(); r.notify.count("READY") != 0 || state.Ready || state.Phase != string(phaseUnready) {
		t.Errorf("state = %+v before the container is healthy; systemd was sent:\n%s", state, r.notify)
	}
	health <- container.Healthy
	l.ready()
	health <- container.Unhealthy
	l.until("unhealthy, and why", func() bool { return r.notify.count("STATUS running app:1, unhealthy: exit status 1") == 1 })
	health <- container.Healthy
	l.until("healthy", func() bool { return r.notify.count("STATUS running app:1, healthy") == 1 })
	if got := r.notify.count("READY"); got != 1 {
		t.Errorf("systemd was sent READY=1 %d times, want once:\n%s", got, r.notify)
	}
	l.stop()
	l.ends(0, "")
}
