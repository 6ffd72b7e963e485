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

// Checker looks at the devices of a container as the container sees them.
type Checker struct {
	// Root is the host's file tree, "/" but in a test.
	Root string
}

// Check opens the device nodes of a container that runs, as one of its own
// processes would: in its file tree, and in its cgroup, whose device filter is
// what a change of systemd's or of the driver's may have taken away. The error
// says why that could not be found out.
func (c Checker) Check(asked attachment.Check) (attachment.Found, error) {
	if asked.NVIDIA {
		if _, err := os.Stat(filepath.Join(c.Root, "proc/driver/nvidia/version")); errors.Is(err, fs.ErrNotExist) {
			return attachment.Found{Lost: "the NVIDIA driver is not loaded any more"}, nil
		}
		lines, err := readKernelLog(filepath.Join(c.Root, "dev/kmsg"))
		if err != nil {
			return attachment.Found{}, err
		}
		if lost := lostByXid(lines, asked.Since, asked.Buses); lost != "" {
			return attachment.Found{Lost: lost}, nil
		}
	}
	if len(asked.Nodes) == 0 {
		return attachment.Found{}, nil
	}
	lost, err := c.openAll(asked)
	return attachment.Found{Lost: lost}, err
}

// openAll says which of the nodes cannot be opened, and why.
func (c Checker) openAll(asked attachment.Check) (string, error) {
	root, err := unix.Open(fmt.Sprintf("%s/proc/%d/root", strings.TrimSuffix(c.Root, "/"), asked.Pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open the container's file tree: %w", err)
	}
	defer unix.Close(root)
	leave, err := c.join(asked.Pid)
	if err != nil {
		return "", err
	}
	var lost string
	for _, node := range asked.Nodes {
		if err := openNode(root, node); err != nil {
			lost = fmt.Sprintf("%s: %v", node.Path, err)
			break
		}
	}
	return lost, leave()
}

// join puts this process into the cgroup whose device filter holds for another
// process, and returns what puts it back: what is allocated meanwhile counts as
// the container's.
func (c Checker) join(pid int) (leave func() error, err error) {
	to, err := c.deviceCgroup(fmt.Sprint(pid))
	if err != nil {
		return nil, fmt.Errorf("find the container's cgroup: %w", err)
	}
	back, err := c.deviceCgroup("self")
	if err != nil {
		return nil, fmt.Errorf("find the own cgroup: %w", err)
	}
	own, err := os.OpenFile(filepath.Join(back, "cgroup.procs"), os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the own cgroup: %w", err)
	}
	if err := os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte("0"), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("enter the container's cgroup: %w", err), own.Close())
	}
	return func() error {
		_, err := own.WriteString("0")
		return errors.Join(err, own.Close())
	}, nil
}

// deviceCgroup is the directory of the cgroup whose device filter holds for a
// process: that of the controller on cgroup v1, and the one there is on v2.
func (c Checker) deviceCgroup(pid string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(c.Root, "proc", pid, "cgroup"))
	if err != nil {
		return "", err
	}
	_, err = os.Stat(filepath.Join(c.Root, "sys/fs/cgroup/cgroup.controllers"))
	only := err == nil // v2, whatever else the kernel has mounted elsewhere
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

// openNode opens a device node below root. Nothing that the container has put
// in its place is opened: no link leads out of its file tree, and no other file
// is taken for the device.
func openNode(root int, node attachment.Node) error {
	at, err := unix.Openat2(root, strings.TrimPrefix(node.Path, "/"), &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return err
	}
	defer unix.Close(at)
	var is unix.Stat_t
	if err := unix.Fstat(at, &is); err != nil {
		return err
	}
	if is.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(is.Rdev) != node.Major || unix.Minor(is.Rdev) != node.Minor {
		return fmt.Errorf("it is not the device %d:%d any more", node.Major, node.Minor)
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", at), unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
