package supervisor

import (
	"strings"
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
		args    string
		elsewhere, quiet,
		want bool
	}{
		"default":                        {},
		"journald":                       {driver: "journald", want: true},
		"journald, of Docker":            {daemon: `{"log-driver": "journald", "log-opts": {"tag": "x"}}`, want: true},
		"journald, overridden":           {driver: "json-file", daemon: `{"log-driver": "journald"}`},
		"journald, by a flag":            {args: "dockerd --log-driver=journald -H fd://", want: true},
		"journald, by two words":         {args: "dockerd --log-driver journald", want: true},
		"syslog, by flags":               {args: "dockerd --log-opt syslog-address=udp://logs:514 --log-driver syslog"},
		"a flag at the end":              {args: "dockerd --log-driver"},
		"journald by a flag, overridden": {driver: "json-file", args: "dockerd --log-driver=journald"},
		"output elsewhere":               {driver: "journald", elsewhere: true},
		"output not relayed":             {driver: "journald", quiet: true},
		"syslog":                         {driver: "syslog", want: true},
		"syslog of another host":         {driver: "syslog", options: remote},
		"a broken daemon.json":           {daemon: `{`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if test.daemon != "" {
				r.write("etc/docker/daemon.json", test.daemon)
			}
			if test.args != "" {
				r.write("run/docker.pid", "77\n")
				r.write("proc/77/cmdline", strings.ReplaceAll(test.args, " ", "\x00")+"\x00")
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
