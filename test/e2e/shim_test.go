//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestShimThatContainerdLeftIsEnded has dockerd forget a container that has ended, and whose
// task it has not deleted in containerd: nobody but dockhost ends the shim.
func TestShimThatContainerdLeftIsEnded(t *testing.T) {
	h := newHost(t)
	h.assign(app())
	before := h.ready("app")
	shim := strings.TrimSpace(h.output("pgrep -f 'containerd-shim.* -id " + before.ID + "'"))
	const dropIn = "/run/systemd/system/docker.service.d/forget.conf"
	h.write(dropIn, "[Service]\nExecStartPre=rm -rf "+h.output("docker info -f '{{.DockerRootDir}}'")+"/containers/"+before.ID+"\n")
	// Docker has forgotten the container, and its mount with it.
	mount := h.output("docker inspect -f '{{.GraphDriver.Data.MergedDir}}' " + before.ID + " 2>/dev/null || echo $(docker info -f '{{.DockerRootDir}}')/rootfs/overlayfs/" + before.ID)
	h.Cleanup(func() {
		h.run("rm " + dropIn + "; systemctl daemon-reload; ! mountpoint -q " + mount + " || umount " + mount)
	})
	h.run("systemctl daemon-reload; systemctl reset-failed docker.service; kill -STOP $(pidof dockerd); kill -KILL " + h.pid("app") +
		"; systemctl kill -s KILL docker.service")
	h.eventually("another container runs", func() error {
		if c, err := h.container("app"); err != nil || !c.Ready || c.ID == before.ID {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
	h.gone(shim)
	h.run("! docker inspect " + before.ID)
}
