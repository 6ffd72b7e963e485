package supervisor

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/systemd"
)

func TestLinesAreInJournalOnce(t *testing.T) {
	remote := map[string]string{"syslog-address": "udp://logs:514"}
	for name, test := range map[string]struct {
		driver  string
		options map[string]string
		daemon  string
		elsewhere, quiet,
		want bool
	}{
		"default":                {},
		"journald":               {driver: "journald", want: true},
		"journald, of Docker":    {daemon: `{"log-driver": "journald", "log-opts": {"tag": "x"}}`, want: true},
		"journald, overridden":   {driver: "json-file", daemon: `{"log-driver": "journald"}`},
		"output elsewhere":       {driver: "journald", elsewhere: true},
		"output not relayed":     {driver: "journald", quiet: true},
		"syslog":                 {driver: "syslog", want: true},
		"syslog of another host": {driver: "syslog", options: remote},
		"a broken daemon.json":   {daemon: `{`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if test.daemon != "" {
				r.write("etc/docker/daemon.json", test.daemon)
			}
			r.spec.Run = newRun()
			r.spec.Run.Quiet = test.quiet
			r.spec.HostConfig.LogConfig = container.LogConfig{Type: test.driver, Config: test.options}
			m := maker{container: r.spec, unit: &unit{cgroups: systemd.Cgroups{Root: r.root}}, inJournal: !test.elsewhere, log: zap.NewNop()}
			if logging := m.onceInJournal(); (logging != nil) != test.want || logging != nil && logging.Type != "local" {
				t.Errorf("onceInJournal() = %+v, want local: %v", logging, test.want)
			}
		})
	}
}
