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

// diagnose says why the GPUs do not work. It returns nil if they do.
func (h host) diagnose(i *Inventory) *Problem {
	if len(i.GPUs) == 0 {
		return &Problem{
			NoDevice, "the NVIDIA driver " + i.Driver.Version + " is loaded, but the PCI bus has no NVIDIA GPU",
			"choose a machine type with a GPU, or another image",
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
			fmt.Sprintf("the NVIDIA driver %s accepted none of the GPUs on the PCI bus (%s is %s)", i.Driver.Version, g.BusID, g.PCIID),
			"see its messages (journalctl -k --grep NVRM); a GPU may need another branch of the driver, or its open or proprietary kernel modules",
		}
	}
	switch i.Libraries {
	case i.Driver.Version:
		return nil
	case "":
		return &Problem{
			NoLibraries, "NVIDIA's kernel module " + i.Driver.Version + " is loaded, but its libraries (libcuda.so) are missing",
			"install their packages, in the same version",
		}
	default:
		return &Problem{
			VersionsDiffer,
			fmt.Sprintf("NVIDIA's kernel module has version %s, but its libraries have %s", i.Driver.Version, i.Libraries),
			"reboot: an upgrade of the driver replaces the libraries at once, but the module only at the next boot",
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
			"install the NVIDIA driver for this kernel: with the kernel headers and DKMS, or as packages of prebuilt modules",
		}
	}
	return &Problem{
		NotLoaded, "the NVIDIA driver is installed, but not loaded",
		"run: modprobe nvidia; if that fails, journalctl -k says why (Secure Boot accepts only signed modules)",
	}
}

// otherDriver returns the problem if other drivers are bound to all GPUs.
func otherDriver(i *Inventory) *Problem {
	for _, g := range i.GPUs {
		if g.Bound == "" || g.Bound == "nvidia" {
			return nil
		}
	}
	g := i.GPUs[0]
	cure := "unbind it from the GPU, or leave the GPU to it"
	if g.Bound == "nouveau" {
		cure = "blacklist nouveau (in /etc/modprobe.d: blacklist nouveau, options nouveau modeset=0), rebuild the initrd and reboot"
	}
	return &Problem{OtherDriver, fmt.Sprintf("the kernel driver %s is bound to the GPU %s", g.Bound, g.BusID), cure}
}

func (h host) kernel() string { return h.read("/proc/sys/kernel/osrelease") }

// hasModule says whether depmod lists a module nvidia for a kernel.
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

// libraryDirs returns the directories where distributions and NVIDIA's installer
// put the driver's libraries.
func libraryDirs() []string {
	return []string{
		"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
		"/usr/lib64", "/usr/lib", "/usr/lib/x86_64-linux-gnu/nvidia/current", "/usr/lib/aarch64-linux-gnu/nvidia/current",
		"/usr/lib64/nvidia", "/usr/local/nvidia/lib64", "/var/lib/nvidia/lib64", "/opt/nvidia/lib64",
	}
}

var versionedLibrary = regexp.MustCompile(`/lib(?:cuda|nvidia-ml)\.so\.(\d+(?:\.\d+)+)$`)

// libraries returns the version of the installed libraries: the driver's version if
// it is installed, otherwise the first one found.
func (h host) libraries(driver string) string {
	version := ""
	for _, dir := range libraryDirs() {
		if driver != "" && h.exists(filepath.Join(dir, "libcuda.so."+driver)) {
			return driver
		}
		if version != "" {
			continue
		}
		files, _ := filepath.Glob(h.path(dir) + "/libcuda.so.*.*")
		for _, file := range files {
			if match := versionedLibrary.FindStringSubmatch(file); match != nil {
				version = match[1]
			}
		}
	}
	return version
}
