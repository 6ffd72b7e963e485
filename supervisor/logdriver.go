package supervisor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/spec"
)

// daemonConfig is Docker's configuration.
const daemonConfig = "/etc/docker/daemon.json"

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
		logging = defaultLogging(filepath.Join(m.unit.cgroups.Root, daemonConfig))
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

// defaultLogging returns Docker's default. A question to Docker would take longer than
// the rest of the creation, because Docker 20.10 runs programs to answer it.
func defaultLogging(path string) container.LogConfig {
	var config struct {
		Driver  string            `json:"log-driver"`
		Options map[string]string `json:"log-opts"`
	}
	raw, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(raw, &config) != nil {
		return container.LogConfig{} // Docker has no such file, or has reported what is wrong
	}
	return container.LogConfig{Type: config.Driver, Config: config.Options}
}
