//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestSocketUnitReachesContainer serves HTTPS by the socket of a socket unit: the
// container starts at the first connection, has no network of its own, and gets the
// socket again after docker restart and after a stop of its unit.
func TestSocketUnitReachesContainer(t *testing.T) {
	h := newHost(t)
	h.login()
	h.run("docker pull -q localhost:5000/nginx:1.22")
	h.unit("web.socket", "[Socket]\nListenStream=0.0.0.0:443\nFileDescriptorName=https\n")
	h.unit("web.service", service("/usr/bin/dockhost run --rm --name web --network none -e NGINX=3; localhost:5000/nginx:1.22"+
		` sh -c 'echo "$$LISTEN_FDS $$LISTEN_FDNAMES $$LISTEN_PID"; exec nginx -g "daemon off;"'`))
	h.run("systemctl start web.socket")
	serves := func(after string) {
		h.Helper()
		h.eventually("the web server answers after "+after, func() error { return h.answers("https://localhost/") })
	}
	serves("the start of the socket")
	h.inUnit("web", "web.service")
	if log := h.said("web.service"); !strings.Contains(log, "1 https 1\n") {
		t.Errorf("the container prints %q, want the variables of one socket", log)
	}
	if inherited := h.output("ls /proc/" + h.property("web.service", "MainPID") + "/fd | wc -l"); inherited == "0" {
		t.Error("the supervisor has no descriptors")
	}
	h.run("docker restart web >/dev/null")
	serves("docker restart")
	h.run("systemctl stop web.service")
	serves("a stop of the service")
	h.run("systemctl stop web.socket web.service")
	h.nothingLeft("web.service")

	out, code := h.try("sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec dockhost run --rm localhost:5000/busybox true' 3</dev/null")
	if code != 125 || !strings.Contains(out, "sockets of LISTEN_FDS cannot reach a container outside of a unit") {
		t.Errorf("dockhost run in the foreground exits %d and prints %q, want 125 and the reason", code, out)
	}
	h.unit("web.service", service("/usr/bin/dockhost run --rm --name web --runtime runsc localhost:5000/nginx:1.22"))
	h.run("systemctl start web.socket; curl -sk --max-time 1 https://localhost/ || true")
	h.reaches("web.service", "failed")
	if log := h.said("web.service"); !strings.Contains(log, `OCI runtime "runsc" cannot pass the unit's sockets`) {
		t.Errorf("the unit logs %q, want that the runtime cannot pass sockets", log)
	}
}

// TestSocketUnitReachesAssignedContainer gives an assigned container the socket of a
// socket unit of the same name.
func TestSocketUnitReachesAssignedContainer(t *testing.T) {
	h := newHost(t)
	h.unit("dockhost@app.socket", "[Socket]\nListenFIFO=/run/e2e.fifo\n")
	h.run("systemctl start dockhost@app.socket")
	h.assign(shell(`echo "fds $LISTEN_FDS"; head -n1 <&3; sleep infinity`))
	h.ready("app")
	h.run("echo by socket >/run/e2e.fifo")
	h.eventually("the container reads from the socket", func() error { return h.logged("dockhost@app", "fds 1", "by socket") })
	h.run("systemctl stop dockhost.socket dockhost dockhost@app.socket dockhost@app; rm -f /run/e2e.fifo")
}
