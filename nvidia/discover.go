package nvidia

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	vendor = "0x10de"

	pciDevices   = "/sys/bus/pci/devices"
	procDriver   = "/proc/driver/nvidia"
	procSwitches = "/proc/driver/nvidia-nvswitch/devices"
	procDevices  = "/proc/devices"

	fabricSocket      = "/run/nvidia-fabricmanager/socket"
	persistenceSocket = "/run/nvidia-persistenced/socket"
)

// PCI classes (the kernel's pci_ids.h): all displays, and "other bridge", the class
// of an NVSwitch.
const (
	classDisplay = "0x03"
	classBridge  = "0x0680"
)

// Discover returns the inventory of the host whose file tree is root ("/"). It only
// reads files: it loads no module and opens no device. On a host without NVIDIA's
// devices it lists the PCI bus and returns. It fails only if a file of the kernel
// cannot be read.
func Discover(root string) (*Inventory, error) {
	h := host{root}
	i := &Inventory{}
	if err := h.scanBus(i); err != nil {
		return nil, err
	}
	if err := h.readDriver(&i.Driver); err != nil {
		return nil, err
	}
	if len(i.GPUs) == 0 && !i.Driver.Loaded {
		return i, nil
	}
	if i.Driver.Loaded {
		if err := h.askDriver(i); err != nil {
			return nil, err
		}
	}
	i.Libraries = h.libraries(i.Driver.Version)
	i.FabricManager = h.exists(fabricSocket)
	i.Persistence = h.exists(persistenceSocket)
	i.Driver.Problem = h.diagnose(i)
	return i, nil
}

// host reads files below a root directory.
type host struct{ root string }

func (h host) path(path string) string { return filepath.Join(h.root, path) }

func (h host) exists(path string) bool {
	_, err := os.Stat(h.path(path))
	return err == nil
}

// read returns a file without surrounding white space. It returns "" if the file
// does not exist or its device has just disappeared.
func (h host) read(path string) string {
	raw, err := os.ReadFile(h.path(path))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(raw))
}

// names lists a directory in order. It returns nil if the directory does not exist.
func (h host) names(dir string) ([]string, error) {
	d, err := os.Open(h.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// scanBus finds NVIDIA's devices on the PCI bus, with or without a driver.
func (h host) scanBus(i *Inventory) error {
	devices, err := h.names(pciDevices)
	if err != nil {
		return err
	}
	for _, id := range devices {
		dir := filepath.Join(pciDevices, id)
		if h.read(filepath.Join(dir, "vendor")) != vendor {
			continue
		}
		switch class := h.read(filepath.Join(dir, "class")); {
		case strings.HasPrefix(class, classDisplay):
			i.GPUs = append(i.GPUs, h.pciGPU(dir, id))
		case strings.HasPrefix(class, classBridge):
			i.Switches = append(i.Switches, Switch{BusID: id, Minor: -1})
		}
	}
	return nil
}

func (h host) pciGPU(dir, id string) GPU {
	g := GPU{Index: -1, BusID: id, Minor: -1, NUMANode: -1}
	g.PCIID = strings.TrimPrefix(vendor, "0x") + ":" + strings.TrimPrefix(h.read(filepath.Join(dir, "device")), "0x")
	if node, err := strconv.Atoi(h.read(filepath.Join(dir, "numa_node"))); err == nil {
		g.NUMANode = node
	}
	if driver, err := os.Readlink(h.path(filepath.Join(dir, "driver"))); err == nil {
		g.Bound = filepath.Base(driver)
	}
	return g
}

// versionLine matches the first line of /proc/driver/nvidia/version, which has two
// known forms: "NVIDIA UNIX x86_64 Kernel Module  550.54.15  ..." and "NVIDIA UNIX
// Open Kernel Module for x86_64  550.54.15  ...".
var versionLine = regexp.MustCompile(`Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)\s`)

func (h host) readDriver(d *Driver) error {
	raw, err := os.ReadFile(h.path(procDriver + "/version"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d.Loaded = true
	match := versionLine.FindSubmatch(raw)
	if match == nil {
		return fmt.Errorf("%s/version: it contains no driver version", procDriver)
	}
	d.Version = string(match[1])
	d.Open = bytes.Contains(raw, []byte("Open Kernel Module"))
	return nil
}

// askDriver adds what the loaded driver reports.
func (h host) askDriver(i *Inventory) error {
	ids, err := h.names(procDriver + "/gpus")
	if err != nil {
		return err
	}
	for _, id := range ids {
		n := slices.IndexFunc(i.GPUs, func(g GPU) bool { return strings.EqualFold(g.BusID, id) })
		if n < 0 { // not visible on the bus, as in a container with a sysfs of its own
			n = len(i.GPUs)
			i.GPUs = append(i.GPUs, GPU{Index: -1, BusID: strings.ToLower(id), Minor: -1, NUMANode: -1, Bound: "nvidia"})
		}
		describe(&i.GPUs[n], h.read(filepath.Join(procDriver, "gpus", id, "information")))
		if g := &i.GPUs[n]; g.Minor >= 0 {
			if g.MIG, err = h.instances(g.Minor); err != nil {
				return err
			}
		}
	}
	number(i.GPUs)
	h.numberSwitches(i.Switches)
	i.Majors = h.majors()
	i.Missing = h.missing(i)
	return nil
}

// describe reads /proc/driver/nvidia/gpus/ID/information. A GPU that was not used
// since the driver was loaded has question marks as its UUID.
func describe(g *GPU, information string) {
	for line := range strings.Lines(information) {
		key, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); key {
		case "Model":
			g.Model = value
		case "GPU UUID":
			if !strings.Contains(value, "?") {
				g.UUID = value
			}
		case "Device Minor":
			if minor, err := strconv.Atoi(value); err == nil {
				g.Minor = minor
			}
		case "GPU Excluded", "Blacklisted": // its name before driver 455
			g.Excluded = value == "Yes"
		}
	}
}

// number gives the GPUs the indices that NVML gives them: in the order of their bus
// ids, counting only those that programs can use.
func number(gpus []GPU) {
	slices.SortFunc(gpus, func(a, b GPU) int { return cmp.Compare(a.BusID, b.BusID) })
	index := 0
	for n := range gpus {
		if !gpus[n].Usable() {
			continue
		}
		gpus[n].Index = index
		index++
		for m := range gpus[n].MIG {
			gpus[n].MIG[m].Name = fmt.Sprintf("%d:%d", gpus[n].Index, m)
		}
	}
}

// instances returns the compute instances of the GPU with this minor number, from
// the driver's capabilities: gpuMINOR/mig/giN/ciM/access.
func (h host) instances(minor int) ([]MIGInstance, error) {
	dir := fmt.Sprintf("%s/capabilities/gpu%d/mig", procDriver, minor)
	numbers, err := h.numbered(dir, "gi")
	if err != nil {
		return nil, err
	}
	var instances []MIGInstance
	for _, gi := range numbers {
		inner := fmt.Sprintf("%s/gi%d", dir, gi)
		own, err := h.capability(inner + "/access")
		if err != nil {
			return nil, err
		}
		computes, err := h.numbered(inner, "ci")
		if err != nil {
			return nil, err
		}
		for _, ci := range computes {
			compute, err := h.capability(fmt.Sprintf("%s/ci%d/access", inner, ci))
			if err != nil {
				return nil, err
			}
			instances = append(instances, MIGInstance{GPUInstance: gi, Instance: ci, Caps: [2]int{own, compute}})
		}
	}
	return instances, nil
}

// numbered returns the number N of each directory entry PREFIXN, sorted.
func (h host) numbered(dir, prefix string) ([]int, error) {
	names, err := h.names(dir)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, prefix)); err == nil && strings.HasPrefix(name, prefix) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// capability returns the minor number of the device node for a capability.
func (h host) capability(path string) (int, error) {
	for line := range strings.Lines(h.read(path)) {
		if value, ok := strings.CutPrefix(line, "DeviceFileMinor:"); ok {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, fmt.Errorf("%s: it contains no DeviceFileMinor", path)
}

// numberSwitches gives the switches the minor numbers of /dev/nvidia-nvswitchN. The
// driver lists the switches by bus id and numbers them in that order.
func (h host) numberSwitches(switches []Switch) {
	ids, err := h.names(procSwitches)
	if err != nil {
		return
	}
	for n, id := range ids {
		for s := range switches {
			if strings.EqualFold(switches[s].BusID, id) {
				switches[s].Minor = n
			}
		}
	}
}

// majors returns the major numbers of NVIDIA's character devices.
func (h host) majors() map[string]uint32 {
	majors := map[string]uint32{}
	for line := range strings.Lines(h.read(procDevices)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[0] == "Block" {
			break
		}
		if len(fields) != 2 || !strings.HasPrefix(fields[1], "nvidia") {
			continue
		}
		if major, err := strconv.ParseUint(fields[0], 10, 32); err == nil {
			majors[fields[1]] = uint32(major)
		}
	}
	return majors
}
