package supervisor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/spec"
)

const (
	// daemonConfig is Docker's configuration, daemonPID the file with the pid of dockerd.
	daemonConfig = "/etc/docker/daemon.json"
	daemonPID    = "/run/docker.pid"
)

// onceInJournal returns the logging configuration for a container whose output the
// supervisor writes to the journal: nil, unless Docker's driver would write each line
// to the journal again. The supervisor's lines belong to the unit, Docker's to
// docker.service, so Docker keeps its copy in its own format, for docker logs.
func (m *maker) onceInJournal() *container.LogConfig {
	if !m.inJournal || !relaysAll(m.container) {
		return nil
	}
	logging := m.container.HostConfig.LogConfig
	if logging.Type == "" {
		logging = defaultLogging(m.unit.cgroups.Root)
	}
	if !writesJournal(logging) {
		return nil
	}
	m.log.Info("Docker's logging driver would write each line to the journal a second time, so the container has the driver local", zap.String("driver", logging.Type))
	return &container.LogConfig{Type: "local"}
}

// relaysAll says whether the supervisor relays standard output and standard error.
func relaysAll(c *spec.Container) bool {
	return c.Run == nil || !c.Run.Quiet && c.Run.Stdout && c.Run.Stderr
}

// writesJournal says whether a logging driver of Docker writes to this host's journal.
// systemd-journald also reads /dev/log, the default of the driver syslog.
func writesJournal(logging container.LogConfig) bool {
	address := logging.Config["syslog-address"]
	local := address == "" || strings.HasPrefix(address, "unix://") || strings.HasPrefix(address, "unixgram://")
	return logging.Type == "journald" || logging.Type == "syslog" && local
}

// defaultLogging returns Docker's default, from its configuration or its command line. A
// question to Docker would take longer than the rest of the creation, because Docker 20.10
// runs programs to answer it.
func defaultLogging(root string) container.LogConfig {
	var config struct {
		Driver  string            `json:"log-driver"`
		Options map[string]string `json:"log-opts"`
	}
	raw, err := regular.Follow(filepath.Join(root, daemonConfig), regular.Config)
	if err == nil {
		_ = json.Unmarshal(raw, &config) // Docker has reported what is wrong
	}
	// Docker refuses to start with a setting in both places.
	driver, options := loggingFlags(daemonArguments(root))
	if config.Driver == "" {
		config.Driver = driver
	}
	if config.Options == nil {
		config.Options = options
	}
	return container.LogConfig{Type: config.Driver, Config: config.Options}
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

// loggingFlags returns what the flags of dockerd say about logging.
func loggingFlags(args []string) (driver string, options map[string]string) {
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--log-driver":
			driver = value
		case "--log-opt":
			key, setting, _ := strings.Cut(value, "=")
			if options == nil {
				options = map[string]string{}
			}
			options[key] = setting
		}
	}
	return driver, options
}
