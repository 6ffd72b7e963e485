package supervisor

import (
	"strings"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/spec"
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
		logging = readDaemon(m.unit.cgroups.Root).logging
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
