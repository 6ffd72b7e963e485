//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestUnitDecidesOnSyslogFields runs units with systemd's settings for lines in the
// journal: the container's lines have their fields.
func TestUnitDecidesOnSyslogFields(t *testing.T) {
	h := newHost(t)
	h.login()
	for _, test := range []struct {
		settings string
		want     []string
	}{
		{"", []string{"one 3 3 err", "one 4 3 warning", "one 6 3 plain"}},
		{
			"SyslogIdentifier=shop\nSyslogFacility=local3\nSyslogLevelPrefix=no\nSyslogLevel=notice",
			[]string{"shop 5 19 <4>warning", "shop 5 19 err", "shop 5 19 plain"},
		},
		{"StandardError=null", []string{"one 4 3 warning", "one 6 3 plain"}},
	} {
		h.unit("one.service", strings.Replace(service("/usr/bin/dockhost run --rm --name one localhost:5000/busybox sh -c 'echo plain; echo \"<4>warning\"; echo err >&2'",
			test.settings), "Type=notify", "Type=oneshot", 1))
		since := h.now()
		h.start("one")
		h.eventually("the lines are in the journal", func() error {
			out := h.output("journalctl --sync; journalctl -q -o json -u one --since @" + since + ` _TRANSPORT=stdout | jq -r 'select(._COMM == "dockhost-superv") | [.SYSLOG_IDENTIFIER, .PRIORITY, .SYSLOG_FACILITY, .MESSAGE] | join(" ")' | sort`)
			if lines := strings.Split(out, "\n"); !slices.Equal(lines, test.want) {
				return fmt.Errorf("%q: the journal has %q, want %q", test.settings, lines, test.want)
			}
			return nil
		})
	}
}

// TestLinesAreInJournalOnce runs containers whose logging driver writes to the journal,
// too: each line is there once, as one of the unit, and docker logs works.
func TestLinesAreInJournalOnce(t *testing.T) {
	h := newHost(t)
	h.login()
	h.run("docker pull -q localhost:5000/busybox")
	check := func(name, options string) {
		h.unit("one.service", service("/usr/bin/dockhost run --name one "+options+" localhost:5000/busybox echo just once"))
		since := h.now()
		h.start("one")
		h.reaches("one.service", "inactive")
		out := h.output("docker logs one; journalctl --sync; journalctl -q -o json --since @" + since + ` MESSAGE='just once' | jq -r ._SYSTEMD_UNIT`)
		if out != "just once\none.service" {
			t.Errorf("%s: docker logs and the units of the line in the journal are %q, want it once, of one.service", name, out)
		}
		h.run("docker rm one >/dev/null")
	}
	check("journald", "--log-driver journald --log-opt tag=x")
	check("syslog", "--log-driver syslog")
	const dropIn = "/run/systemd/system/docker.service.d/e2e-log.conf"
	h.Cleanup(func() { h.run("rm -f " + dropIn + "; systemctl daemon-reload") })
	h.write(dropIn, "[Service]\nEnvironment=DOCKER_OPTS=--log-driver=journald\n")
	h.run("systemctl daemon-reload")
	h.restartDocker()
	check("journald of Docker, by a flag", "")
	h.run("rm " + dropIn + "; systemctl daemon-reload")
	h.configureDocker("log-driver", `"journald"`)
	check("journald of Docker", "")
}
