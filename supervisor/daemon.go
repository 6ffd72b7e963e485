package supervisor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/internal/regular"
)

const (
	// daemonConfig is Docker's configuration, daemonPID the file with the pid of dockerd.
	daemonConfig = "/etc/docker/daemon.json"
	daemonPID    = "/run/docker.pid"
)

// daemonDefaults are what Docker gives to containers that say nothing.
type daemonDefaults struct {
	logging container.LogConfig
	// runtime is the name of the OCI runtime; "" means runc.
	runtime string
}

// readDaemon reads Docker's defaults from its configuration and its command line. A
// question to Docker would take longer than the rest of the creation, because Docker runs
// programs to answer it.
func readDaemon(root string) daemonDefaults {
	var config struct {
		Driver  string            `json:"log-driver"`
		Options map[string]string `json:"log-opts"`
		Runtime string            `json:"default-runtime"`
	}
	raw, err := regular.Follow(filepath.Join(root, daemonConfig), regular.Config)
	if err == nil {
		_ = json.Unmarshal(raw, &config) // Docker has reported what is wrong
	}
	// Docker refuses to start with a setting in both places.
	flags := daemonFlags(daemonArguments(root))
	if config.Driver != "" {
		flags.logging.Type = config.Driver
	}
	if config.Options != nil {
		flags.logging.Config = config.Options
	}
	if config.Runtime != "" {
		flags.runtime = config.Runtime
	}
	return flags
}

// daemonArguments returns the command line of dockerd; nil if it does not run on this
// host.
func daemonArguments(root string) []string {
	text, err := regular.Follow(filepath.Join(root, daemonPID), regular.Small)
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return nil
	}
	line, err := os.ReadFile(filepath.Join(root, "/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return nil
	}
	return strings.Split(string(line), "\x00")
}

// daemonFlags returns what the flags of dockerd say about containers.
func daemonFlags(args []string) (d daemonDefaults) {
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--log-driver":
			d.logging.Type = value
		case "--log-opt":
			key, setting, _ := strings.Cut(value, "=")
			if d.logging.Config == nil {
				d.logging.Config = map[string]string{}
			}
			d.logging.Config[key] = setting
		case "--default-runtime":
			d.runtime = value
		}
	}
	return d
}
