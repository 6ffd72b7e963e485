package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxOutput bounds what is read of a program's output, in bytes.
const maxOutput = 4 << 20

// Command runs a program in the C locale, and returns its standard output. It implements
// [Host.Command]. journalctl exits with 1 if it finds nothing, which is not an error.
func Command(ctx context.Context, name string, args ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("this host has no %s: %w", name, fs.ErrNotExist)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	cmd.WaitDelay = time.Second
	out, problem := &limited{left: maxOutput}, &limited{left: 1000}
	cmd.Stdout, cmd.Stderr = out, problem
	err = cmd.Run()
	if exit, isExit := errors.AsType[*exec.ExitError](err); isExit && exit.ExitCode() == 1 && name == "journalctl" && problem.text.Len() == 0 {
		err = nil
	}
	if err != nil {
		return out.text.String(), fmt.Errorf("run %s: %w: %s", name, err, strings.TrimSpace(problem.text.String()))
	}
	return out.text.String(), nil
}

// limited is a buffer that drops what is more than its limit.
type limited struct {
	text bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(l.left, len(p))
	l.left -= n
	l.text.Write(p[:n])
	return len(p), nil
}

// Measure measures the file system at a path. It implements [Host.Space].
func Measure(path string) (Space, error) {
	var size unix.Statfs_t
	var file unix.Stat_t
	if err := errors.Join(unix.Statfs(path, &size), unix.Stat(path, &file)); err != nil {
		return Space{}, fmt.Errorf("measure %s: %w", path, err)
	}
	block := uint64(size.Bsize) //nolint:gosec // a block size is positive
	return Space{Total: size.Blocks * block, Free: size.Bavail * block, Inodes: size.Files, FreeInodes: size.Ffree, Device: file.Dev}, nil
}

// Get asks an HTTP server, whose answer may be an error. It implements [Host.Get].
func Get(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("it is not a URL")
	}
	response, err := (&http.Client{Timeout: patience}).Do(request)
	if failed, isURL := errors.AsType[*url.Error](err); isURL {
		return failed.Err // without the URL, which may have a password
	}
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// withoutPassword returns a URL for people.
func withoutPassword(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "(not a URL)"
}
