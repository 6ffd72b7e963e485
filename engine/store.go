package engine

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/docker/docker/api/types/system"
)

const (
	// containerdRoot is where containerd stores images unless its configuration says
	// otherwise.
	containerdRoot   = "/var/lib/containerd"
	containerdConfig = "/etc/containerd/config.toml"
	// maxConfig bounds how much of containerd's configuration is read.
	maxConfig = 1 << 20
)

// imageRoot returns the directory below which the Engine stores images. With containerd's
// image store that is containerd's root, which neither program's API names: it is in the
// configuration of a containerd of the host's, and below Docker's root if Docker has
// started its own. prefix is a prefix of the host's paths, "" except in tests.
func imageRoot(prefix string, info system.Info, snapshotter bool) string {
	if !snapshotter {
		return info.DockerRootDir
	}
	root := containerdRoot
	if info.Containerd != nil && strings.Contains(info.Containerd.Address, "/docker/containerd/") {
		root = filepath.Join(info.DockerRootDir, "containerd/daemon")
	} else if configured := containerdRootIn(filepath.Join(prefix, containerdConfig)); configured != "" {
		root = configured
	}
	if _, err := os.Stat(filepath.Join(prefix, root)); err != nil {
		return info.DockerRootDir
	}
	return root
}

// rootLine is the line of containerd's configuration that sets its root.
var rootLine = regexp.MustCompile(`^\s*root\s*=\s*["']([^"']+)["']`)

// containerdRootIn returns the root that a configuration of containerd names, "" for none.
// Tables have settings of the same name, so it reads only what is above the first one.
func containerdRootIn(path string) string {
	file, err := os.Open(path) // #nosec G304 -- a fixed path
	if err != nil {
		return ""
	}
	defer file.Close()
	lines := bufio.NewScanner(io.LimitReader(file, maxConfig))
	for lines.Scan() && !strings.HasPrefix(strings.TrimSpace(lines.Text()), "[") {
		if match := rootLine.FindStringSubmatch(lines.Text()); match != nil && filepath.IsAbs(match[1]) {
			return match[1]
		}
	}
	return ""
}
