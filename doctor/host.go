package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/gpu"
	"github.com/dockhost/dockhost/internal/regular"
)

// Host is what the checks look at. Each function ends with its context.
type Host struct {
	// Root is a prefix of the host's paths, "" on a real host.
	Root string
	// Engine is Docker.
	Engine Engine
	// Runtime is the path of dockhost-runtime.
	Runtime string
	// Status returns the status of the host's containers, with or without the agent.
	Status func(ctx context.Context) (api.Status, error)
	// Command runs a program and returns its standard output. The error is
	// [fs.ErrNotExist] if the host does not have the program.
	Command func(ctx context.Context, name string, args ...string) (string, error)
	// Space measures the file system at a path.
	Space func(path string) (Space, error)
	// Digest asks an image's registry for it.
	Digest func(ctx context.Context, image string) (string, error)
	// Get makes an HTTP request, and returns an error if no HTTP server answers.
	Get func(ctx context.Context, url string) error
	// Metadata asks the metadata service of a datasource, or of the one that the
	// host's marks point to; within the network of a process unless its pid is 0.
	Metadata func(ctx context.Context, name string, pid int) (string, error)
	// GPUs inspects the GPUs.
	GPUs func() (gpu.Report, error)
	// DaemonJSON returns what is wrong with Docker's daemon.json.
	DaemonJSON func(ctx context.Context) error
	// User is the effective user ID.
	User int
	// Now is the time.
	Now time.Time
}

// Engine is what the checks need of Docker.
type Engine interface {
	About(ctx context.Context) (engine.About, error)
	Info(ctx context.Context) (engine.Info, error)
	Inspect(ctx context.Context, id string) (engine.Container, error)
}

// Space is the size of a file system.
type Space struct {
	// Total and Free are in bytes, Inodes and FreeInodes are counts. Inodes is 0 for a
	// file system that makes them as it needs them.
	Total, Free        uint64
	Inodes, FreeInodes uint64
	// Device tells file systems apart.
	Device uint64
}

// host is a Host, and what several checks want to know of it. Each fact is asked for
// once.
type host struct {
	Host

	about  func() (engine.About, error)
	info   func() (engine.Info, error)
	status func() (api.Status, error)
}

// answerTime bounds the answers of Docker and of the agent. It is shorter than the
// patience of a check, which can then say what has not answered.
const answerTime = 5 * time.Second

func newHost(ctx context.Context, h Host) *host {
	return &host{Host: h, about: once(ctx, h.Engine.About), info: once(ctx, h.Engine.Info), status: once(ctx, h.Status)}
}

// once returns a function that asks for a fact at its first call, and waits for the
// answer at each. It asks for nothing that no check wants: Docker logs an error for each
// request that ends before its answer.
func once[T any](ctx context.Context, ask func(context.Context) (T, error)) func() (T, error) {
	var fact T
	var err error
	var begin sync.Once
	done := make(chan struct{})
	return func() (T, error) {
		begin.Do(func() {
			go func() {
				defer close(done)
				ctx, cancel := context.WithTimeout(ctx, answerTime)
				defer cancel()
				fact, err = ask(ctx)
			}()
		})
		<-done
		return fact, err
	}
}

// maxFile bounds a file that a check reads, in bytes.
const maxFile = 1 << 20

// read returns a file of the host.
func (h *host) read(path string) (string, error) {
	file, err := regular.Open(filepath.Join(h.Root, path))
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile))
	return string(text), err
}

func (h *host) exists(path string) bool {
	_, err := os.Stat(filepath.Join(h.Root, path))
	return err == nil
}

// glob returns the host's paths that match a pattern.
func (h *host) glob(pattern string) []string {
	paths, _ := filepath.Glob(filepath.Join(h.Root, pattern))
	for i, path := range paths {
		paths[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(path, h.Root), "/")
	}
	return paths
}

// properties returns properties of a unit by `systemctl show`.
func (h *host) properties(ctx context.Context, unit string, names ...string) (map[string]string, error) {
	out, err := h.Command(ctx, "systemctl", "show", "--no-pager", "--property="+strings.Join(names, ","), unit)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for line := range strings.Lines(out) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found {
			values[name] = value
		}
	}
	return values, nil
}

// daemonJSON is the part of Docker's daemon.json that checks look at. It is empty if
// the file is missing or wrong, which another check says.
type daemonJSON struct {
	LogDriver string            `json:"log-driver"`
	LogOpts   map[string]string `json:"log-opts"`
	Ulimits   map[string]any    `json:"default-ulimits"`
}

func (h *host) daemonJSON() (config daemonJSON) {
	text, err := h.read("/etc/docker/daemon.json")
	if err == nil {
		_ = json.Unmarshal([]byte(text), &config) // see above
	}
	return config
}

// needsDocker returns the finding of a check that cannot be made because Docker does
// not answer. Another check says so.
func needsDocker(err error) []Finding {
	if errors.Is(err, engine.ErrDenied) {
		return needsRoot()
	}
	return skip("Docker does not answer")
}

func needsRoot() []Finding {
	return skip("only root can see this (run: sudo dockhostctl doctor)")
}

// cannotAsk returns the finding of a check whose program is missing or fails.
func cannotAsk(what string, err error) []Finding {
	if errors.Is(err, fs.ErrPermission) {
		return needsRoot()
	}
	return skip("cannot tell " + what + ": " + err.Error())
}

// MetadataFrom returns a [Host.Metadata]. dial connects to an address within the
// network of a process.
func MetadataFrom(root string, dial func(ctx context.Context, pid int, address string) (net.Conn, error)) func(ctx context.Context, name string, pid int) (string, error) {
	return func(ctx context.Context, name string, pid int) (string, error) {
		options := datasource.Options{Root: root}
		if name != "" {
			options.Names = []string{name}
		}
		if pid == 0 {
			return datasource.Probe(ctx, options, nil)
		}
		return datasource.Probe(ctx, options, func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, pid, address) })
	}
}
