package gpu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/gpu/attachment"
)

// Checker checks a container's devices from the container's point of view.
type Checker struct {
	// Root is the host's file tree: "/", or another directory in a test.
	Root string
}

// Check opens the device nodes of a running container as one of its own processes
// would: in its file tree and in its cgroup, whose device filter a change by
// systemd or by the driver may have removed. The error says why the check could
// not be made.
func (c Checker) Check(question attachment.Check) (attachment.Found, error) {
	if question.NVIDIA {
		if _, err := os.Stat(filepath.Join(c.Root, "proc/driver/nvidia/version")); errors.Is(err, fs.ErrNotExist) {
			return attachment.Found{Lost: "the NVIDIA driver is no longer loaded"}, nil
		}
		lines, err := readKernelLog(filepath.Join(c.Root, "dev/kmsg"))
		if err != nil {
			return attachment.Found{}, err
		}
		if lost := lostByXid(lines, question.Since, question.Buses); lost != "" {
			return attachment.Found{Lost: lost}, nil
		}
	}
	if len(question.Nodes) == 0 {
		return attachment.Found{}, nil
	}
	lost, err := c.openAll(question)
	return attachment.Found{Lost: lost}, err
}

// openAll says which device node cannot be opened, and why.
func (c Checker) openAll(question attachment.Check) (string, error) {
	root, err := unix.Open(fmt.Sprintf("%s/proc/%d/root", strings.TrimSuffix(c.Root, "/"), question.Pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open the container's file tree: %w", err)
	}
	defer unix.Close(root)
	leave, err := c.join(question.Pid)
	if err != nil {
		return "", err
	}
	var lost string
	for _, node := range question.Nodes {
		if err := openNode(root, node); err != nil {
			lost = fmt.Sprintf("%s: %v", node.Path, err)
			break
		}
	}
	return lost, leave()
}

// join moves this process into the cgroup whose device filter applies to another
// process. leave moves it back; until then, the container is charged for the memory
// that this process allocates.
func (c Checker) join(pid int) (leave func() error, err error) {
	to, err := c.deviceCgroup(fmt.Sprint(pid))
	if err != nil {
		return nil, fmt.Errorf("find the container's cgroup: %w", err)
	}
	back, err := c.deviceCgroup("self")
	if err != nil {
		return nil, fmt.Errorf("find our own cgroup: %w", err)
	}
	own, err := os.OpenFile(filepath.Join(back, "cgroup.procs"), os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open our own cgroup: %w", err)
	}
	if err := os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte("0"), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("enter the container's cgroup: %w", err), own.Close())
	}
	return func() error {
		_, err := own.WriteString("0")
		return errors.Join(err, own.Close())
	}, nil
}

// deviceCgroup returns the directory of the cgroup whose device filter applies to
// a process: in the tree of the devices controller on cgroup v1, in the only tree
// on v2.
func (c Checker) deviceCgroup(pid string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(c.Root, "proc", pid, "cgroup"))
	if err != nil {
		return "", err
	}
	_, err = os.Stat(filepath.Join(c.Root, "sys/fs/cgroup/cgroup.controllers"))
	only := err == nil // v2, even if the kernel has v1 trees mounted elsewhere
	unified := ""
	for line := range strings.SplitSeq(strings.TrimSpace(string(raw)), "\n") {
		_, rest, _ := strings.Cut(line, ":")
		controllers, path, _ := strings.Cut(rest, ":")
		switch controllers {
		case "devices":
			if only {
				continue
			}
			return filepath.Join(c.Root, "sys/fs/cgroup/devices", path), nil
		case "":
			unified = path
		}
	}
	return filepath.Join(c.Root, "sys/fs/cgroup", unified), nil
}

// openNode opens a device node below root. It follows no link out of the
// container's file tree, and opens no file that the container put in the place of
// the device.
func openNode(root int, node attachment.Node) error {
	at, err := unix.Openat2(root, strings.TrimPrefix(node.Path, "/"), &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return err
	}
	defer unix.Close(at)
	var stat unix.Stat_t
	if err := unix.Fstat(at, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(stat.Rdev) != node.Major || unix.Minor(stat.Rdev) != node.Minor {
		return fmt.Errorf("it is no longer the device %d:%d", node.Major, node.Minor)
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", at), unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
