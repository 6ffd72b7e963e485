//go:build e2e

package e2e

import "strings"

// smallDisk moves Docker's data to a separate disk of this size until the test
// ends.
func (h *host) smallDisk(size string) {
	h.Helper()
	const small = "/run/dockhost-e2e-disk"
	h.run("mkdir -p " + small + " && mount -t tmpfs -o size=" + size + " small " + small)
	h.Cleanup(func() { h.run("umount " + small) })
	if h.storesInContainerd() {
		const config = "/etc/containerd/config.toml"
		h.run("cp -a " + config + " /run/containerd.toml; sed -i '1i root = \"" + small + "/containerd\"' " + config + "; systemctl restart containerd")
		h.Cleanup(func() { h.run("cp -a /run/containerd.toml " + config + "; systemctl restart containerd") })
	}
	h.configureDocker("data-root", `"`+small+`"`)
}

// smallImages returns where images are on the disk of smallDisk.
func (h *host) smallImages() string {
	h.Helper()
	if h.storesInContainerd() {
		return "/run/dockhost-e2e-disk/containerd"
	}
	return "/run/dockhost-e2e-disk"
}

// storesInContainerd says whether Docker's images are in containerd's image store.
func (h *host) storesInContainerd() bool {
	h.Helper()
	return strings.Contains(h.output("docker info -f '{{.DriverStatus}}'"), "io.containerd.snapshotter")
}

// unlessNewStore fails a test whose fault Docker does not have, or skips it with containerd's
// image store: only there Docker may be without it.
func (h *host) unlessNewStore(why string) {
	h.Helper()
	if h.storesInContainerd() {
		h.Skip(why)
	}
	h.Fatal(why)
}

// makes imports images with one layer of random bytes. Each takes this size of the disk:
// containerd's store keeps a layer twice, packed and unpacked.
func (h *host) makes(size string, names ...string) {
	h.Helper()
	copies := "1"
	if h.storesInContainerd() {
		copies = "2"
	}
	h.run("for name in " + strings.Join(names, " ") + "; do head -c $(($(numfmt --from=iec " + size + ") / " + copies + ")) /dev/urandom >/run/fill && " +
		"tar -C /run -c fill | docker import - $name >/dev/null; done; rm -f /run/fill")
}
