package main

import (
	"net"
	"os"
	"os/exec"
	"slices"
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

// The new program has the descriptors from 3 on, and none of this program's own.
func TestExecWith(t *testing.T) {
	const child = "DOCKHOST_TEST_EXEC"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestExecWith$")
		cmd.Env = append(os.Environ(), child+"=yes")
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "one\ntwo\n3 4 " {
			t.Errorf("the program prints %q, %v, want what the descriptors 3 and 4 say, and no others", out, err)
		}
		return
	}
	var files []int
	for _, text := range []string{"one\n", "two\n"} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := write.WriteString(text); err != nil {
			t.Fatal(err)
		}
		files = append([]int{int(read.Fd())}, files...)
		_ = write.Close()
	}
	slices.Reverse(files) // so that each has a number that another one will get
	t.Fatal(execWith("/bin/sh", []string{"sh", "-c", `cat <&3; cat <&4; for fd in 3 4 5 6 7 8 9; do { [ ! -e /proc/$$/fd/$fd ] || printf '%s ' $fd; }; done`}, os.Environ(), files))
}
