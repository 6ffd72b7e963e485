package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// maxBundle is how much of a container's OCI configuration is read at most.
const maxBundle = 4 << 20

// bundleDirs returns where containerd keeps the bundles of Docker's containers, one
// directory for each container that has a shim: the host's containerd, and the one
// that dockerd starts itself.
func bundleDirs() []string {
	return []string{
		"/run/containerd/io.containerd.runtime.v2.task/moby",
		"/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby",
	}
}

// shimSweeper ends the shims that containerd leaves behind until the next boot. Two ways
// are known. A container ends while dockerd is killed or gets no answer from containerd
// within two seconds: it removes the container but not its task in containerd, and
// forgets both. Or containerd is killed after it started the shim and before that started
// the container. When such a shim ends, containerd removes what it left.
type shimSweeper struct {
	root   string
	docker containerStore
	// kill kills a process if it is still the right one.
	kill func(pid int, still func() bool) error
	log  *zap.Logger
}

func newShimSweeper(o Options) *shimSweeper {
	return &shimSweeper{root: o.Root, docker: o.Engine, kill: killIf, log: o.Log}
}

// sweep ends each shim that runs no process, and whose container dockhost has made and
// Docker does not know. known has the ids of Docker's containers as of a moment ago.
func (s *shimSweeper) sweep(ctx context.Context, known map[string]bool) error {
	var errs []error
	for _, dir := range bundleDirs() {
		entries, err := os.ReadDir(filepath.Join(s.root, dir))
		if err != nil {
			continue // there is no such containerd, or only root may look
		}
		for _, entry := range entries {
			id := entry.Name()
			if !known[id] && s.isOurs(filepath.Join(dir, id)) {
				errs = append(errs, s.end(ctx, id))
			}
		}
	}
	return errors.Join(errs...)
}

// isOurs reports whether dockhost made the container of a bundle. Docker asks for the
// cgroup that the supervisor named, and dockhost-runtime replaces it by the one in the
// unit, unless containerd was killed before it started the runtime.
func (s *shimSweeper) isOurs(bundle string) bool {
	file, err := regular.Open(filepath.Join(s.root, bundle, "config.json"))
	if err != nil {
		return false
	}
	defer file.Close()
	var config struct {
		Linux struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	if err := json.NewDecoder(io.LimitReader(file, maxBundle)).Decode(&config); err != nil {
		return false
	}
	cgroup := config.Linux.CgroupsPath
	if _, asked := placement.UnitOf(cgroup); asked {
		return true
	}
	runtime, err := regular.Follow(filepath.Join(s.root, bundle, "runtime"), regular.Small)
	return err == nil && path.Base(string(bytes.TrimSpace(runtime))) == "dockhost-runtime" &&
		path.Base(cgroup) == "container" && strings.HasSuffix(path.Dir(cgroup), ".service")
}

// end ends the shim of a container unless Docker knows the container, which may have
// been created a moment ago.
func (s *shimSweeper) end(ctx context.Context, id string) error {
	if _, err := s.docker.Inspect(ctx, id); !errors.Is(err, engine.ErrNotFound) {
		return err
	}
	pid := s.find(id)
	if pid == 0 || !s.isIdle(pid) {
		return nil
	}
	s.log.Info("ending the shim of a container that Docker does not know any more", zap.String("container_id", id), zap.Int("pid", pid))
	still := func() bool { return s.isShim(pid, id) && s.isIdle(pid) }
	if err := s.kill(pid, still); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the shim of container %s, process %d: %w", id, pid, err)
	}
	return nil
}

// find returns the process of a container's shim, or 0.
func (s *shimSweeper) find(id string) int {
	entries, err := os.ReadDir(filepath.Join(s.root, "/proc"))
	if err != nil {
		return 0
	}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && s.isShim(pid, id) {
			return pid
		}
	}
	return 0
}

// isShim reports whether a process is the shim of a container of Docker. containerd also
// runs the same program with a command, to start a shim and to clean up after one.
func (s *shimSweeper) isShim(pid int, id string) bool {
	raw, err := os.ReadFile(filepath.Join(s.root, "/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return false
	}
	args := strings.Split(string(raw), "\x00")
	has := func(flag, value string) bool {
		i := slices.Index(args, flag)
		return i > 0 && i+1 < len(args) && args[i+1] == value
	}
	command := slices.Contains(args, "start") || slices.Contains(args, "delete")
	return strings.HasPrefix(path.Base(args[0]), "containerd-shim") && !command && has("-namespace", "moby") && has("-id", id)
}

// isIdle reports whether a process has no children. A container's processes are
// children of its shim, also those whose parent has ended. The answer is no if the kernel
// does not list children.
func (s *shimSweeper) isIdle(pid int) bool {
	files, err := filepath.Glob(filepath.Join(s.root, "/proc", strconv.Itoa(pid), "task/*/children"))
	for _, file := range files {
		raw, readErr := os.ReadFile(file)
		if err = errors.Join(err, readErr); len(bytes.TrimSpace(raw)) > 0 {
			return false
		}
	}
	return err == nil && len(files) > 0
}

// killIf kills a process unless still says that it is another one by now.
func killIf(pid int, still func() bool) error {
	process, err := os.FindProcess(pid) // holds a pidfd, which never means another process
	if err != nil {
		return err
	}
	defer func() { _ = process.Release() }()
	if !still() {
		return nil
	}
	return process.Kill()
}
