// Command host makes a test host look like one with NVIDIA's driver and GPUs. It
// mounts files over those in /proc and /sys, and creates device nodes that can be
// opened. So the tested programs need no switch. It needs root, and must only run
// on a test host.
//
//	host up [-gpus N] [-driver VERSION] [-mig] [-libraries DIR] [-ctk] [-spec FILE] [-hook PROGRAM]
//	host down
//
// DIR has libcuda.so.VERSION, libnvidia-ml.so.VERSION and nvidia-smi, which
// test/gpu/build.sh builds. -ctk installs an nvidia-ctk that prints a CDI
// specification of the GPUs, and -spec writes that specification to a file. -hook
// is the program of its hooks: dockhost-nvidia.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/nvidia"
	"github.com/dockhost/dockhost/nvidia/standin"
)

const (
	tree      = "/run/gpu-standin"
	made      = tree + "/made" // the paths that down removes, one a line
	libraries = "/usr/lib/x86_64-linux-gnu"
)

// mounted are the parts of the tree that are mounted over the host's.
func mounted() []string {
	return []string{"/proc/driver", "/proc/devices", "/sys/bus/pci/devices"}
}

// numbers are devices that root can open if the kernel has them, and that Docker
// denies to containers by default: fuse, tun, loop-control, uinput, vhost-net, rfkill.
func numbers() []uint64 {
	return []uint64{
		unix.Mkdev(10, 229), unix.Mkdev(10, 200), unix.Mkdev(10, 237), unix.Mkdev(10, 223), unix.Mkdev(10, 238),
		unix.Mkdev(10, 242), unix.Mkdev(1, 11),
	}
}

type options struct {
	gpus             int
	driver           string
	mig, ctk         bool
	from, spec, hook string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("up or down?")
	}
	if args[0] == "down" {
		return down()
	}
	if args[0] != "up" {
		return fmt.Errorf("%s: up or down?", args[0])
	}
	var o options
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.IntVar(&o.gpus, "gpus", 2, "how many")
	flags.StringVar(&o.driver, "driver", "550.54.15", "its version")
	flags.BoolVar(&o.mig, "mig", false, "split the first GPU in two")
	flags.BoolVar(&o.ctk, "ctk", false, "install an nvidia-ctk")
	flags.StringVar(&o.from, "libraries", "", "`directory` with the driver's libraries")
	flags.StringVar(&o.spec, "spec", "", "`file` for the CDI specification")
	flags.StringVar(&o.hook, "hook", "", "`program` of the specification's hooks")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if err := down(); err != nil {
		return err
	}
	return up(o)
}

func up(o options) error {
	h := standin.Host{Driver: o.driver, OwnNodes: true}
	for n := range o.gpus {
		h.GPUs = append(h.GPUs, standin.GPU{
			BusID: fmt.Sprintf("0000:%02x:00.0", n+1), Device: "0x20b0", Model: "NVIDIA A100-SXM4-40GB", Bound: "nvidia",
			UUID: fmt.Sprintf("GPU-%08d-aaaa-bbbb-cccc-000000000000", n), Minor: n,
		})
	}
	if o.mig && o.gpus > 0 {
		h.GPUs[0].MIG = map[int][]int{1: {0}, 2: {0}}
	}
	if err := h.Write(tree); err != nil {
		return err
	}
	for _, path := range mounted() {
		if err := unix.Mount(tree+path, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount over %s: %w", path, err)
		}
	}
	i, err := nvidia.Discover("/")
	if err != nil {
		return err
	}
	if err := nodes(i); err != nil {
		return err
	}
	if err := o.install(); err != nil {
		return err
	}
	return o.describe(i)
}

// nodes creates the driver's device nodes. Each GPU is a different device, so that
// a container may open one and not the other.
func nodes(i *nvidia.Inventory) error {
	free := openable()
	for _, path := range i.Missing {
		number := unix.Mkdev(1, 3)
		var gpu int
		if _, err := fmt.Sscanf(path, "/dev/nvidia%d", &gpu); err == nil {
			if gpu >= len(free) {
				return fmt.Errorf("cannot create /dev/nvidia%d: this kernel has only %d devices that can stand in for GPUs", gpu, len(free))
			}
			number = free[gpu]
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(number)); err != nil {
			return fmt.Errorf("make %s: %w", path, err)
		}
		if err := errors.Join(os.Chmod(path, 0o666), remember(path)); err != nil {
			return err
		}
	}
	return nil
}

// openable returns the numbers of devices that can be opened here.
func openable() []uint64 {
	var found []uint64
	for n, number := range numbers() {
		path := fmt.Sprintf("/dev/.gpu-standin%d", n)
		if unix.Mknod(path, unix.S_IFCHR|0o600, int(number)) != nil {
			continue
		}
		if f, err := os.Open(path); err == nil {
			f.Close()
			found = append(found, number)
		}
		os.Remove(path)
	}
	return found
}

// install copies the libraries and nvidia-smi to the paths of the driver's
// packages, and creates their link.
func (o options) install() error {
	if o.from == "" {
		return nil
	}
	for _, name := range []string{"libcuda", "libnvidia-ml"} {
		file := name + ".so." + o.driver
		if err := copyFile(filepath.Join(o.from, file), filepath.Join(libraries, file), 0o644); err != nil {
			return err
		}
		link := filepath.Join(libraries, name+".so.1")
		if err := errors.Join(os.Symlink(file, link), remember(link)); err != nil {
			return err
		}
	}
	return copyFile(filepath.Join(o.from, "nvidia-smi"), "/usr/bin/nvidia-smi", 0o755)
}

// describe writes the CDI specification that nvidia-ctk would write.
func (o options) describe(i *nvidia.Inventory) error {
	raw, err := json.MarshalIndent(o.description(i), "", "  ")
	if err != nil {
		return err
	}
	if o.ctk {
		script := "#!/bin/sh\n[ \"$1 $2\" = 'cdi generate' ] || exit 1\ncat <<'END'\n" + string(raw) + "\nEND\n"
		if err := write("/usr/bin/nvidia-ctk", []byte(script), 0o755); err != nil {
			return err
		}
	}
	if o.spec == "" {
		return nil
	}
	return write(o.spec, raw, 0o644)
}

func (o options) description(i *nvidia.Inventory) specs.Spec {
	spec := specs.Spec{Version: "0.6.0", Kind: "nvidia.com/gpu"}
	all := specs.Device{Name: "all"}
	for _, g := range i.GPUs {
		node := &specs.DeviceNode{Path: fmt.Sprintf("/dev/nvidia%d", g.Minor)}
		edits := specs.ContainerEdits{DeviceNodes: []*specs.DeviceNode{node}}
		all.ContainerEdits.DeviceNodes = append(all.ContainerEdits.DeviceNodes, node)
		for _, m := range g.MIG {
			part := specs.Device{Name: m.Name}
			part.ContainerEdits.DeviceNodes = []*specs.DeviceNode{node}
			for _, minor := range m.Caps {
				part.ContainerEdits.DeviceNodes = append(part.ContainerEdits.DeviceNodes,
					&specs.DeviceNode{Path: fmt.Sprintf("/dev/nvidia-caps/nvidia-cap%d", minor)})
			}
			spec.Devices = append(spec.Devices, part)
		}
		spec.Devices = append(spec.Devices, specs.Device{Name: fmt.Sprint(g.Index), ContainerEdits: edits},
			specs.Device{Name: g.UUID, ContainerEdits: edits})
	}
	spec.Devices = append(spec.Devices, all)
	common := &spec.ContainerEdits
	common.Env = []string{"NVIDIA_VISIBLE_DEVICES=void"}
	for _, name := range []string{"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"} {
		common.DeviceNodes = append(common.DeviceNodes, &specs.DeviceNode{Path: "/dev/" + name})
	}
	if o.from != "" {
		for _, path := range []string{libraries + "/libcuda.so." + o.driver, libraries + "/libnvidia-ml.so." + o.driver, "/usr/bin/nvidia-smi"} {
			common.Mounts = append(common.Mounts, &specs.Mount{
				HostPath: path, ContainerPath: path, Options: []string{"ro", "nosuid", "nodev", "rbind", "rprivate"},
			})
		}
	}
	if o.hook != "" {
		for _, args := range [][]string{
			{"create-symlinks", "--link", "libcuda.so.1::" + libraries + "/libcuda.so"},
			{"update-ldcache", "--folder", libraries},
		} {
			common.Hooks = append(common.Hooks, &specs.Hook{
				HookName: "createContainer", Path: o.hook, Args: append([]string{filepath.Base(o.hook), "hook"}, args...),
			})
		}
	}
	return spec
}

func copyFile(from, to string, mode fs.FileMode) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return write(to, raw, mode)
}

func write(path string, raw []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path, raw, mode), os.Chmod(path, mode), remember(path))
}

// remember makes down remove the path.
func remember(path string) error {
	f, err := os.OpenFile(made, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, path)
	return errors.Join(err, f.Close())
}
