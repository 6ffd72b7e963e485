package main

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/dockhost/dockhost/supervisor/placement"
)

// serveFile sends a descriptor to each process that connects to a socket.
func (h *host) serveFile(socket string, files ...int) {
	h.t.Helper()
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: h.path(socket), Net: "unixpacket"})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			_, _, _ = conn.WriteMsgUnix([]byte{0}, syscall.UnixRights(files...), nil)
			_ = conn.Close()
		}
	}()
}

func TestSocketsReachRuntime(t *testing.T) {
	const ownPID = `"linux":{"cgroupsPath":"/old","namespaces":[{"type":"pid"}]}`
	for name, test := range map[string]struct{ config, env string }{
		"first process": {`{"process":{"args":["app"],"env":["A=b"]},` + ownPID + `}`, `"env":["A=b","LISTEN_FDS=1","LISTEN_FDNAMES=web","LISTEN_PID=1"]`},
		"with an init":  {`{"process":{"args":["/sbin/docker-init","--","app"],"env":["A=b"]},` + ownPID + `}`, `"env":["A=b","LISTEN_FDS=1","LISTEN_FDNAMES=web"]`},
		"the host's PIDs": {
			`{"process":{"args":["app"],"env":["LISTEN_FDS=9"]},"linux":{"cgroupsPath":"/old","namespaces":[{"type":"mount"}]}}`,
			`"env":["LISTEN_FDS=1","LISTEN_FDNAMES=web"]`,
		},
		"another container's PIDs": {
			`{"process":{"args":["app"]},"linux":{"cgroupsPath":"/old","namespaces":[{"type":"pid","path":"/proc/7/ns/pid"}]}}`,
			`"env":["LISTEN_FDS=1","LISTEN_FDNAMES=web"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.tree()
			h.cgroup("system.slice/dockhost@web.service", "")
			h.write("bundle/config.json", test.config, 0o640)
			h.serveFile("sockets", int(os.Stdin.Fd()))
			place := web()
			place.Sockets = &placement.Sockets{Path: h.path("sockets"), Count: 1, Names: "web"}
			h.place(place)
			h.run(create)
			h.wantRan("@bin/runc " + strings.Replace(create, "--systemd-cgroup create", "create --preserve-fds 1", 1))
			if len(h.files) != 1 {
				t.Errorf("the runtime gets %d descriptors, want 1", len(h.files))
			}
			if got := h.read("bundle/config.json"); !strings.Contains(got, test.env) {
				t.Errorf("config.json = %s, want %s", got, test.env)
			}
			for _, file := range h.files {
				_ = syscall.Close(file)
			}
			h.files = nil
			h.run("start " + id)
			if len(h.files) != 0 {
				t.Errorf("start gets %d descriptors, want none", len(h.files))
			}
		})
	}
}

func TestSocketsAreMissing(t *testing.T) {
	for name, prepare := range map[string]func(h *host){
		"the supervisor has ended":    func(*host) {},
		"it sent another number":      func(h *host) { h.serveFile("sockets", int(os.Stdin.Fd()), int(os.Stdin.Fd())) },
		"it closed without a message": func(h *host) { h.serveFile("sockets") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.tree()
			h.cgroup("system.slice/dockhost@web.service", "")
			h.config(managed + "/" + id)
			prepare(h)
			place := web()
			place.Sockets = &placement.Sockets{Path: h.path("sockets"), Count: 1}
			h.place(place)
			h.wantError(h.run(create), "get the sockets of dockhost@web.service from its supervisor (try: systemctl restart dockhost@web.service)")
		})
	}
}
