package needs

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/spec"
)

// Platform returns an error if the host cannot run an image of a platform
// ("linux/arm64"). A container that declares its platform is left to Docker: the
// host may emulate it. So is an image that names no platform.
func Platform(c *spec.Container, image string) error {
	host := runtime.GOOS + "/" + runtime.GOARCH
	if image == "" || c.Platform != "" || runs(host, image) {
		return nil
	}
	err := fmt.Errorf("image %q is for %s, and this host is %s (use an image for %s, or write platform: %s if the host emulates it)",
		c.Image, image, host, host, image)
	return cure.By(err, cure.Cure{Kind: cure.Docker, Name: "image"})
}

// runs reports whether a host runs the programs of an image. 64-bit hosts run
// programs for their 32-bit predecessor.
func runs(host, image string) bool {
	return family(host) == family(image)
}

func family(platform string) string {
	system, architecture, _ := strings.Cut(platform, "/")
	architecture, _, _ = strings.Cut(architecture, "/")
	switch architecture {
	case "386":
		architecture = "amd64"
	case "arm":
		architecture = "arm64"
	}
	return system + "/" + architecture
}
