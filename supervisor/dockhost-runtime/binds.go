package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/internal/beneath"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// bindsDir is an empty directory on the host. In the mount namespace of this process, and
// so of the real runtime, it has the sources of the binds that a policy limits.
const bindsDir = "/run/dockhost/binds"

// source is what the path of a bind led to when it was judged.
type source struct {
	// tree is a copy of the mount there, which no path leads to.
	tree int
	// directory is false for a file.
	directory bool
}

// openBinds opens the sources of the binds that a policy limits, and returns the
// configuration with the paths at which mountBinds mounts them. Sources that containers
// replace from then on have no effect.
func openBinds(root string, config []byte, binds []placement.Bind) ([]byte, []source, error) {
	if len(binds) == 0 {
		return config, nil, nil
	}
	members, err := object("", config)
	if err != nil {
		return nil, nil, err
	}
	var mounts []json.RawMessage
	if err := json.Unmarshal(members["mounts"], &mounts); err != nil {
		return nil, nil, fmt.Errorf("mounts: %w", err)
	}
	var sources []source
	var errs []error
	for _, bind := range binds {
		at := filepath.Join(bindsDir, strconv.Itoa(len(sources)))
		opened, err := openBind(root, mounts, bind, at)
		sources = append(sources, opened)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	if members["mounts"], err = encode(mounts); err != nil {
		return nil, nil, err
	}
	config, err = encode(members)
	return config, sources, err
}

// openBind opens the source of one bind, and replaces it by at in mounts.
func openBind(root string, mounts []json.RawMessage, bind placement.Bind, at string) (source, error) {
	i := slices.IndexFunc(mounts, func(mount json.RawMessage) bool { return destination(mount) == path.Clean(bind.Target) })
	if i < 0 {
		return source{}, fmt.Errorf("mount at %q: not in Docker's configuration", bind.Target)
	}
	mount, err := object("mounts", mounts[i])
	if err != nil {
		return source{}, err
	}
	var name string
	if err := json.Unmarshal(mount["source"], &name); err != nil {
		return source{}, fmt.Errorf("mount at %q: source: %w", bind.Target, err)
	}
	opened, err := openSource(root, name, bind.Directories)
	if err != nil {
		return source{}, fmt.Errorf("mount at %q: %w", bind.Target, err)
	}
	if mount["source"], err = encode(at); err != nil {
		return source{}, err
	}
	mounts[i], err = encode(mount)
	return opened, err
}

// openSource copies the mount to which a path leads, with those below it. The copy is of
// the same peer group: propagation works as with the original (mount_namespaces(7)).
func openSource(root, name string, directories []string) (source, error) {
	fd, err := beneath.Open(root, name, beneath.HostMounts(directories))
	if err != nil {
		return source{}, err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return source{}, fmt.Errorf("look at %q: %w", name, err)
	}
	tree, err := unix.OpenTree(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return source{}, fmt.Errorf("copy the mount of %q (open_tree, Linux 5.2): %w", name, err)
	}
	return source{tree: tree, directory: stat.Mode&unix.S_IFMT == unix.S_IFDIR}, nil
}

// mountBinds mounts the sources below dir, in a mount namespace that this process and the
// real runtime have to themselves. The kernel removes it with the last of them, whatever
// ends them, so the host never has these mounts. The container's own mount namespace is a
// copy, from which the real runtime removes everything but the container's mounts.
func mountBinds(dir string, sources []source) error {
	if len(sources) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	runtime.LockOSThread() // the namespace is that of this thread, which executes the real runtime
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare the mounts: %w", err)
	}
	if err := hideMounts(dir); err != nil {
		return fmt.Errorf("keep mounts from the host: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	for i, source := range sources {
		at := filepath.Join(dir, strconv.Itoa(i))
		if err := source.mount(at); err != nil {
			return fmt.Errorf("mount %s: %w", at, err)
		}
	}
	return nil
}

// hideMounts makes the mount in which dir is private, in this namespace only: what is
// mounted in it does not appear on the host.
func hideMounts(dir string) error {
	for {
		err := unix.Mount("", dir, "", unix.MS_PRIVATE, "")
		if !errors.Is(err, unix.EINVAL) || dir == "/" {
			return err // EINVAL: nothing is mounted right there
		}
		dir = filepath.Dir(dir)
	}
}

// mount mounts the source at a path.
func (s source) mount(at string) error {
	var err error
	if s.directory {
		err = os.Mkdir(at, 0o700)
	} else {
		err = os.WriteFile(at, nil, 0o600)
	}
	if err != nil {
		return err
	}
	return unix.MoveMount(s.tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH)
}
