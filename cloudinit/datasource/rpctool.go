package datasource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/dockhost/dockhost/cloudinit"
)

const (
	rpcTimeout = 10 * time.Second
	// maxRPC bounds an answer: user data in base64.
	maxRPC = cloudinit.MaxSize * 4 / 3
)

// guestInfo returns a value that VMware's hypervisor keeps for the guest, or nil
// if it is not set. It runs a program of open-vm-tools. As in cloud-init, the one
// that needs no daemon comes first.
func guestInfo(ctx context.Context, h *host, name string) ([]byte, error) {
	tried := notFound("no vmware-rpctool and no vmtoolsd to ask VMware's host with (install open-vm-tools)")
	for _, tool := range []struct {
		name string
		args []string
	}{
		{"vmware-rpctool", nil},
		{"vmtoolsd", []string{"--cmd"}},
	} {
		path, ok := findTool(h, tool.name)
		if !ok {
			continue
		}
		raw, err := runTool(ctx, path, append(tool.args, "info-get "+name))
		if err == nil {
			return raw, nil
		}
		tried = fmt.Errorf("%s info-get %s: %w", tool.name, name, err)
	}
	return nil, tried
}

func findTool(h *host, name string) (string, bool) {
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/bin", "/sbin"} {
		if h.exists(filepath.Join(dir, name)) {
			return filepath.Join(h.root, dir, name), true
		}
	}
	return "", false
}

// runTool returns the output of a program, or nil if the program says that the
// value is not set. Errors leave the output out: it may hold user data.
func runTool(ctx context.Context, path string, args []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	out, complaint := &capped{most: maxRPC}, &capped{most: 4096}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = out, complaint
	cmd.Env = []string{"LC_ALL=C"}
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("no answer within %v", rpcTimeout)
	case strings.TrimSpace(complaint.text.String()) == "No value found":
		return nil, nil
	case err != nil:
		return nil, err
	case out.over:
		return nil, fmt.Errorf("larger than %d MiB", cloudinit.MaxSize>>20)
	}
	// Never nil: nil means that the value is not set.
	return append([]byte{}, bytes.TrimSuffix(out.text.Bytes(), []byte("\n"))...), nil
}

// capped keeps the beginning of what is written to it.
type capped struct {
	text bytes.Buffer
	most int
	over bool
}

var errTooLarge = errors.New("too large")

func (c *capped) Write(p []byte) (int, error) {
	if c.text.Len()+len(p) > c.most {
		c.over = true
		return 0, errTooLarge
	}
	return c.text.Write(p)
}
