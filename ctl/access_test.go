package ctl

import (
	"bytes"
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

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
