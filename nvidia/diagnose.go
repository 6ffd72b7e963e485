package nvidia

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// diagnose says why the GPUs do not work, nil where they do.
func (h host) diagnose(i *Inventory) *Problem {
	if len(i.GPUs) == 0 {
		return &Problem{
			NoDevice, "NVIDIA's driver " + i.Driver.Version + " is loaded, and the PCI bus has no GPU of theirs",
			"give this machine a GPU, or another image",
		}
	}
	if !i.Driver.Loaded {
		return h.diagnoseUnloaded(i)
	}
	if !slices.ContainsFunc(i.GPUs, GPU.Usable) {
		g := i.GPUs[0]
		if other := otherDriver(i); other != nil {
			return other
		}
		return &Problem{
			GPUUnsupported,
			fmt.Sprintf("NVIDIA's driver %s took none of the GPUs on the PCI bus (%s is %s)", i.Driver.Version, g.BusID, g.PCIID),
			"see what it says (journalctl -k --grep NVRM); a card may need another branch of the driver, or its other kind of kernel modules",
		}
	}
	switch i.Libraries {
	case i.Driver.Version:
		return nil
	case "":
		return &Problem{
			NoLibraries, "NVIDIA's kernel module " + i.Driver.Version + " is loaded, and its libraries (libcuda.so) are not on this host",
			"install the packages with them, of the same version",
		}
	default:
		return &Problem{
			VersionsDiffer,
			fmt.Sprintf("NVIDIA's kernel module is %s, and its libraries are %s", i.Driver.Version, i.Libraries),
			"reboot: an upgrade of the driver replaces the libraries, and the module only with the next boot",
		}
	}
}

func (h host) diagnoseUnloaded(i *Inventory) *Problem {
	if other := otherDriver(i); other != nil {
		return other
	}
	release := h.kernel()
	if !h.hasModule(release) {
		return &Problem{
			ModuleMissing, fmt.Sprintf("kernel %s has no module nvidia", release),
			"install NVIDIA's driver for this kernel: its headers and DKMS, or packages of built modules",
		}
	}
	return &Problem{
		NotLoaded, "NVIDIA's driver is installed and not loaded",
		"modprobe nvidia; where that fails, journalctl -k says why (Secure Boot takes signed modules alone)",
	}
}

// otherDriver is the problem of GPUs that all belong to another driver.
func otherDriver(i *Inventory) *Problem {
	for _, g := range i.GPUs {
		if g.Bound == "" || g.Bound == "nvidia" {
			return nil
		}
	}
	g := i.GPUs[0]
	cure := "unbind it, or leave this GPU to whom it was given"
	if g.Bound == "nouveau" {
		cure = "keep nouveau from being loaded (/etc/modprobe.d: blacklist nouveau, options nouveau modeset=0), rebuild the initrd, and reboot"
	}
	return &Problem{OtherDriver, fmt.Sprintf("the kernel's driver %s has the GPU %s", g.Bound, g.BusID), cure}
}

func (h host) kernel() string { return h.read("/proc/sys/kernel/osrelease") }

// hasModule is whether depmod knows a module nvidia of the kernel's.
func (h host) hasModule(release string) bool {
	for _, dir := range []string{"/lib/modules", "/usr/lib/modules"} {
		list, err := os.Open(h.path(filepath.Join(dir, release, "modules.dep")))
		if err != nil {
			continue
		}
		defer list.Close()
		for lines := bufio.NewScanner(list); lines.Scan(); {
			module, _, _ := strings.Cut(lines.Text(), ":")
			if name, _, _ := strings.Cut(filepath.Base(module), "."); name == "nvidia" {
				return true
			}
		}
		return false
	}
	return false
}

// libraryDirs are where distributions and NVIDIA's own installer have the
// driver's libraries.
func libraryDirs() []string {
	return []string{
		"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
		"/usr/lib64", "/usr/lib", "/usr/lib/x86_64-linux-gnu/nvidia/current", "/usr/lib/aarch64-linux-gnu/nvidia/current",
		"/usr/lib64/nvidia", "/usr/local/nvidia/lib64", "/var/lib/nvidia/lib64", "/opt/nvidia/lib64",
	}
}

var versionedLibrary = regexp.MustCompile(`/lib(?:cuda|nvidia-ml)\.so\.(\d+(?:\.\d+)+)$`)

// libraries returns the version of the libraries that are there: the driver's,
// where it is among them, or else the first that is found.
func (h host) libraries(driver string) string {
	found := ""
	for _, dir := range libraryDirs() {
		if driver != "" && h.exists(filepath.Join(dir, "libcuda.so."+driver)) {
			return driver
		}
		if found != "" {
			continue
		}
		files, _ := filepath.Glob(h.path(dir) + "/libcuda.so.*.*")
		for _, file := range files {
			if match := versionedLibrary.FindStringSubmatch(file); match != nil {
				found = match[1]
			}
		}
	}
	return found
}
