package setup

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
)

// host is a host's file tree with a fake Docker.
type host struct {
	t      *testing.T
	root   string
	docker *fakeDocker
	setup  *Setup
}

// newHost returns a host on which systemd and Docker run and the runtime is installed.
// config is its daemon.json, nil for none.
func newHost(t *testing.T, config []byte) *host {
	t.Helper()
	h := &host{t: t, root: t.TempDir()}
	for _, dir := range []string{"/etc/docker", "/run/systemd/system", filepath.Dir(runtimePath)} {
		if err := os.MkdirAll(h.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.write(runtimePath, "", 0o755)
	if config != nil {
		h.write(configPath, string(config), 0o644)
	}
	h.docker = &fakeDocker{config: h.path(configPath), running: true, runtimes: map[string]string{}}
	_ = h.docker.load() // a broken file counts as broken later
	h.setup = New(Options{Root: h.root, RuntimePath: runtimePath, Log: zap.NewNop()}, h.docker, h.docker)
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.root, name) }

func (h *host) write(name, text string, mode fs.FileMode) {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), mode); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chmod(h.path(name), mode); err != nil {
		h.t.Fatal(err)
	}
}

// tree returns the files of /etc/docker.
func (h *host) tree() map[string]string {
	h.t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(h.path("/etc/docker"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(h.path("/etc/docker/" + entry.Name()))
		if err != nil {
			h.t.Fatal(err)
		}
		files[entry.Name()] = string(text)
	}
	return files
}

func (h *host) wantTree(want map[string]string) {
	h.t.Helper()
	if diff := cmp.Diff(want, h.tree()); diff != "" {
		h.t.Errorf("/etc/docker (-want +got):\n%s", diff)
	}
}

func (h *host) wantMissing(want ...string) {
	h.t.Helper()
	before := h.tree()
	got, err := h.setup.Check(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if len(got) != len(want) {
		h.t.Fatalf("Check() = %q, want %q", got, want)
	}
	for i := range got {
		if !strings.Contains(got[i], want[i]) {
			h.t.Errorf("Check()[%d] = %q, want %q", i, got[i], want[i])
		}
	}
	h.wantTree(before)
}

// fakeDocker is dockerd, and the systemd that reloads it. It has the runtimes of the last
// daemon.json with runtimes that it read.
type fakeDocker struct {
	config   string
	runtimes map[string]string
	running  bool
	reloads  int
	// reloading is how long a reload takes after systemd has reported it as done.
	reloading time.Duration
	due       time.Time
	reloadErr error
	// refusal is the answer to each question; nil for none.
	refusal error
	// diesOfReload says that dockerd exits at a reload and is not restarted.
	diesOfReload bool
}

var errDown = errors.New("no such socket")

func (d *fakeDocker) load() error {
	text, err := os.ReadFile(d.config)
	if errors.Is(err, fs.ErrNotExist) || len(text) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	var config struct {
		Runtimes map[string]struct{ Path string }
	}
	if err := json.Unmarshal(text, &config); err != nil || config.Runtimes == nil {
		return err
	}
	d.runtimes = map[string]string{}
	for name, runtime := range config.Runtimes {
		d.runtimes[name] = runtime.Path
	}
	return nil
}

func (d *fakeDocker) Runtimes(ctx context.Context) (map[string]string, error) {
	if d.refusal != nil {
		return nil, d.refusal
	}
	if !d.running {
		return nil, errDown
	}
	if !d.due.IsZero() && !time.Now().Before(d.due) {
		d.due = time.Time{}
		if err := d.load(); err != nil {
			return nil, err
		}
	}
	return d.runtimes, ctx.Err()
}

func (d *fakeDocker) ReloadUnit(_ context.Context, name string) error {
	if name != dockerUnit {
		return errors.New("no such unit")
	}
	d.reloads++
	d.running = !d.diesOfReload
	d.due = time.Now().Add(d.reloading)
	return d.reloadErr
}
