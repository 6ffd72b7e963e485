// Package standin writes, for tests, the files below /proc and /sys in which the
// kernel and NVIDIA's driver show a host's GPUs. Their texts are those of real hosts.
package standin

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Host describes the host to write.
type Host struct {
	Driver   string // version of the loaded module, "" for none
	Open     bool   // NVIDIA's open kernel modules
	Module   bool   // the running kernel has a module nvidia
	GPUs     []GPU
	Switches []string // bus ids of NVSwitches
	// OwnNodes says that the administrator makes the device nodes.
	OwnNodes bool
	// Libraries is the version of the driver's libraries, "" for none. Their files
	// are empty.
	Libraries string
	// NoUVM leaves nvidia-uvm out of /proc/devices.
	NoUVM bool
}

// GPU is a GPU on the PCI bus.
type GPU struct {
	BusID    string
	Device   string // 0x20b0
	Model    string // "" if the driver did not accept it
	UUID     string // "" if it was not used yet
	Bound    string // the kernel driver bound to it, "" for none
	Minor    int
	NUMANode int
	Excluded bool
	// MIG maps the number of each GPU instance to the numbers of its compute
	// instances.
	MIG map[int][]int
}

// Kernel is the release of the running kernel.
const Kernel = "6.1.0-26-amd64"

// One is a host with one GPU: a cloud instance with an NVIDIA T4.
func One() Host {
	return Host{
		Driver: "550.54.15", Libraries: "550.54.15", Module: true,
		GPUs: []GPU{{
			BusID: "0000:00:1e.0", Device: "0x1eb8", Model: "Tesla T4", Bound: "nvidia", NUMANode: -1,
			UUID: "GPU-0f5f6bd1-6f3f-8ab9-6c8e-0a2c6a4b9a11",
		}},
	}
}

// Eight is a host with eight A100s and six NVSwitches. The minor numbers of its GPUs
// are not in the order of the bus.
func Eight() Host {
	h := Host{Driver: "535.183.01", Libraries: "535.183.01", Module: true}
	for n, bus := range []string{"07", "0f", "47", "4e", "87", "90", "b7", "bd"} {
		h.GPUs = append(h.GPUs, GPU{
			BusID: "0000:" + bus + ":00.0", Device: "0x20b0", Model: "NVIDIA A100-SXM4-40GB", Bound: "nvidia",
			UUID: fmt.Sprintf("GPU-%08d-1111-2222-3333-444444444444", n), Minor: n ^ 2, NUMANode: n / 2,
		})
	}
	for n := range 6 {
		h.Switches = append(h.Switches, fmt.Sprintf("0000:c%d:00.0", n+1))
	}
	return h
}

// MIG is a host with one A100 that is split into two GPU instances. The second one
// has two compute instances.
func MIG() Host {
	h := Host{Driver: "550.54.15", Libraries: "550.54.15", Module: true, Open: true}
	h.GPUs = []GPU{{
		BusID: "0000:81:00.0", Device: "0x20b2", Model: "NVIDIA A100-SXM4-80GB", Bound: "nvidia", NUMANode: 1,
		UUID: "GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f", MIG: map[int][]int{1: {0}, 2: {0, 1}},
	}}
	return h
}

// Write writes the host's files below root.
func (h Host) Write(root string) error {
	w := writer{root: root}
	w.write("/proc/sys/kernel/osrelease", Kernel+"\n")
	w.modules(h.Module)
	w.bus(h)
	w.devices(h)
	w.driver(h)
	for n, g := range h.GPUs {
		if h.Driver != "" && g.Model != "" {
			w.gpu(g)
			w.mig(g, n)
		}
	}
	if h.Libraries != "" {
		for _, name := range []string{"libcuda.so.", "libnvidia-ml.so."} {
			w.write("/usr/lib/x86_64-linux-gnu/"+name+h.Libraries, "")
		}
	}
	return w.err
}

// writer writes files below a root until one fails.
type writer struct {
	root string
	err  error
}

func (w *writer) write(path, text string) {
	path = filepath.Join(w.root, path)
	if w.err == nil {
		w.err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if w.err == nil {
		w.err = os.WriteFile(path, []byte(text), 0o644)
	}
}

func (w *writer) link(target, path string) {
	path = filepath.Join(w.root, path)
	if w.err == nil {
		w.err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if w.err == nil {
		w.err = os.Symlink(target, path)
	}
}

func (w *writer) modules(nvidia bool) {
	dep := "kernel/drivers/gpu/drm/nouveau/nouveau.ko.xz: kernel/drivers/video/video.ko.xz\n"
	if nvidia {
		dep += "updates/dkms/nvidia.ko.xz:\nupdates/dkms/nvidia-uvm.ko.xz: updates/dkms/nvidia.ko.xz\n"
	}
	w.write("/lib/modules/"+Kernel+"/modules.dep", dep)
}

// bus writes the devices of sysfs, and one device of another vendor.
func (w *writer) bus(h Host) {
	w.device("0000:00:00.0", "0x8086", "0x1237", "0x060000", "", -1)
	for _, g := range h.GPUs {
		w.device(g.BusID, "0x10de", g.Device, "0x030200", g.Bound, g.NUMANode)
	}
	for _, id := range h.Switches {
		w.device(id, "0x10de", "0x1af1", "0x068000", "nvidia-nvswitch", -1)
		if h.Driver != "" {
			w.write("/proc/driver/nvidia-nvswitch/devices/"+id+"/information", "")
		}
	}
}

func (w *writer) device(id, vendor, device, class, driver string, node int) {
	dir := "/sys/bus/pci/devices/" + id
	w.write(dir+"/vendor", vendor+"\n")
	w.write(dir+"/device", device+"\n")
	w.write(dir+"/class", class+"\n")
	w.write(dir+"/numa_node", fmt.Sprintln(node))
	if driver != "" {
		w.link("../../../bus/pci/drivers/"+driver, dir+"/driver")
	}
}

func (w *writer) devices(h Host) {
	text := "Character devices:\n  1 mem\n 10 misc\n"
	if h.Driver != "" {
		text += "195 nvidia\n195 nvidiactl\n237 nvidia-caps\n"
		if !h.NoUVM {
			text += "511 nvidia-uvm\n"
		}
		if len(h.Switches) > 0 {
			text += "510 nvidia-nvswitch\n"
		}
	}
	w.write("/proc/devices", text+"\nBlock devices:\n  8 sd\n")
}

func (w *writer) driver(h Host) {
	if h.Driver == "" {
		return
	}
	line := "NVRM version: NVIDIA UNIX x86_64 Kernel Module  " + h.Driver + "  Tue Mar  5 22:23:56 UTC 2024\n"
	if h.Open {
		line = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  " + h.Driver +
			"  Release Build  (dvs-builder@U16-T02-35-3)  Tue Mar  5 22:15:33 UTC 2024\n"
	}
	w.write("/proc/driver/nvidia/version", line+"GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n")
	modify := 1
	if h.OwnNodes {
		modify = 0
	}
	w.write("/proc/driver/nvidia/params", fmt.Sprintf("ResmanDebugLevel: 4294967295\nModifyDeviceFiles: %d\n"+
		"DeviceFileUID: 0\nDeviceFileGID: 0\nDeviceFileMode: 438\n", modify))
	w.capability("/proc/driver/nvidia/capabilities/mig/config", 1, 0o400)
	w.capability("/proc/driver/nvidia/capabilities/mig/monitor", 2, 0o444)
}

func (w *writer) gpu(g GPU) {
	uuid := g.UUID
	if uuid == "" {
		uuid = "GPU-????????-????-????-????-????????????"
	}
	excluded := "No"
	if g.Excluded {
		excluded = "Yes"
	}
	text := strings.Join([]string{
		"Model: \t\t " + g.Model, "IRQ:   \t\t 44", "GPU UUID: \t " + uuid, "Video BIOS: \t 90.04.a7.00.01",
		"Bus Type: \t PCIe", "DMA Size: \t 47 bits", "DMA Mask: \t 0x7fffffffffff",
		"Bus Location: \t " + g.BusID, fmt.Sprintf("Device Minor: \t %d", g.Minor),
		"GPU Firmware: \t N/A", "GPU Excluded:\t " + excluded, "",
	}, "\n")
	w.write("/proc/driver/nvidia/gpus/"+g.BusID+"/information", text)
}

// mig writes a GPU's capabilities, each with a minor number of its own.
func (w *writer) mig(g GPU, n int) {
	for gi, computes := range g.MIG {
		dir := fmt.Sprintf("/proc/driver/nvidia/capabilities/gpu%d/mig/gi%d", g.Minor, gi)
		minor := 3 + n*135 + gi*9
		w.capability(dir+"/access", minor, 0o444)
		for _, ci := range computes {
			w.capability(fmt.Sprintf("%s/ci%d/access", dir, ci), minor+1+ci, 0o444)
		}
	}
}

func (w *writer) capability(path string, minor, mode int) {
	w.write(path, fmt.Sprintf("DeviceFileMinor: %d\nDeviceFileMode: %d\nDeviceFileModify: 1\n", minor, mode))
}
