package ctl

import (
	"bytes"
	"context"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// A user who may not connect learns that, at once, and not that the agent is down.
func TestNoAccess(t *testing.T) {
	tries := 0
	c := client{socket: "/run/dockhost/agent.sock", http: &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			tries++
			return nil, &net.OpError{Op: "dial", Net: "unix", Err: &os.SyscallError{Syscall: "connect", Err: fs.ErrPermission}}
		},
	}}}
	_, err := c.change(t.Context(), http.MethodPost, "/v1/containers/web/stop", nil, &struct{}{})
	if err == nil || exitStatus(err) != exitFailed || !strings.Contains(err.Error(), "sudo") || !strings.Contains(err.Error(), "group docker") {
		t.Errorf("change() = %v with exit status %d, want %d, sudo and the group", err, exitStatus(err), exitFailed)
	}
	if tries != 1 {
		t.Errorf("change() tried %d times, want once", tries)
	}
}

// status of such a user does not fall back to what systemd and Docker say.
func TestStatusWithoutAccess(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root has access")
	}
	socket := t.TempDir() + "/s"
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Chmod(socket, 0); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := Execute(t.Context(), []string{"status"}, Host{Socket: socket, Out: &out, Err: &errs, StatusWithoutAgent: func(context.Context) (api.Status, error) {
		t.Error("status asks systemd and Docker")
		return api.Status{}, nil
	}})
	if code != exitFailed || out.Len() > 0 || !strings.Contains(errs.String(), "sudo") {
		t.Errorf("status exits %d, prints %q and %q, want %d and sudo", code, out.String(), errs.String(), exitFailed)
	}
}
