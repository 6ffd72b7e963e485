//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// counting is a script that prints the numbers from 1, one every 5 ms, to stdout
// and to stderr, and then creates the file /counted.
const counting = "n=1; while [ $n -le %[1]d ]; do echo $n; echo $n >&2; n=$((n+1)); usleep 5000; done; touch /counted; sleep infinity"

// outages are commands that stop Docker and start it again.
var outages = []string{
	"systemctl kill -s KILL docker.service",
	"systemctl restart docker.service",
	"systemctl stop docker.service docker.socket; systemctl start docker.service",
}

// quiet stops the container's processes, and waits until Docker has read their
// output.
func (h *host) quiet() {
	h.Helper()
	h.run("kill -STOP $(pgrep -P " + h.pid("app") + ")")
	logged := ""
	h.eventually("Docker has read all output", func() error {
		before := logged
		if logged = h.output("docker logs app 2>&1 | wc -l"); logged != before {
			return fmt.Errorf("%s lines", logged)
		}
		return nil
	})
}

// lines returns the container's lines in the journal since a time. The priority
// selects stdout (6) or stderr (3).
func (h *host) lines(since string, priority int) []string {
	h.Helper()
	return strings.Fields(h.run(fmt.Sprintf(
		"journalctl --sync; journalctl --no-pager -o cat -u dockhost@app --since @%s SYSLOG_IDENTIFIER=app _TRANSPORT=stdout PRIORITY=%d", since, priority)))
}

// TestOutputSurvivesDockerOutage restarts Docker repeatedly with live-restore: no
// line is lost or printed twice. A line that Docker has read but not logged when
// it is killed is lost for everyone. So the container either stands still at that
// moment, or the journal is compared with Docker's log.
func TestOutputSurvivesDockerOutage(t *testing.T) {
	tests := []struct {
		driver string
		quiet  bool
	}{
		{"json-file", true},
		{"json-file", false},
		{"local", true},
		{"journald", true},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s, quiet %t", test.driver, test.quiet), func(t *testing.T) {
			last, went := 1200, outages
			if test.driver == "json-file" && test.quiet {
				last, went = 2500, append(slices.Clone(outages), outages...)
			}
			h := newHost(t)
			h.configureDocker("live-restore", "true")
			since := h.now()
			h.assign(shell(fmt.Sprintf(counting, last), "logging: {driver: "+test.driver+"}"))
			h.ready("app")
			pid := h.pid("app")
			for _, outage := range went {
				before := len(h.lines(since, 6))
				if test.quiet {
					h.quiet()
				}
				h.run("systemctl reset-failed docker.service docker.socket; " + outage)
				h.run("kill -CONT $(pgrep -P " + pid + ")")
				h.eventually("the journal gets lines again", func() error {
					if after := len(h.lines(since, 6)); after <= before {
						return fmt.Errorf("%d lines after %s, %d before", after, outage, before)
					}
					return nil
				})
			}
			h.eventually("the container has printed all numbers", func() error {
				if _, code := h.try("test -e /proc/" + pid + "/root/counted"); code != 0 {
					return errors.New("/counted is missing")
				}
				return nil
			})
			logged := h.output("docker logs app 2>/dev/null | tail -n 1")
			for stream, priority := range map[string]int{"stdout": 6, "stderr": 3} {
				var got []string
				h.eventually("the journal has the last line", func() error {
					if got = h.lines(since, priority); len(got) == 0 || got[len(got)-1] != logged {
						return fmt.Errorf("the journal has %d lines", len(got))
					}
					return nil
				})
				if test.quiet {
					counted(t, stream, got, last)
					continue
				}
				docker := strings.Fields(h.run("docker logs app 2>&1 " + map[string]string{"stdout": "2>/dev/null", "stderr": ">/dev/null"}[stream]))
				t.Logf("%s: %d lines of %d are in the journal, %d in Docker's log", stream, len(got), last, len(docker))
				covers(t, stream, got, docker)
			}
			if after := h.pid("app"); after != pid {
				t.Errorf("pid = %s, want %s", after, pid)
			}
		})
	}
}

// covers checks that got has all numbers of Docker's log, each once and in order.
func covers(t *testing.T, what string, got, docker []string) {
	t.Helper()
	last := 0
	for _, line := range got {
		n, err := strconv.Atoi(line)
		if err != nil || n <= last {
			t.Fatalf("%s has %q after %d", what, line, last)
		}
		last = n
	}
	for _, line := range docker {
		if !slices.Contains(got, line) {
			t.Errorf("%s lacks %q, which is in Docker's log", what, line)
		}
	}
}

// TestTerminalOutputSurvivesDockerOutage is TestOutputSurvivesDockerOutage for a
// container with a terminal.
func TestTerminalOutputSurvivesDockerOutage(t *testing.T) {
	h := newHost(t)
	h.configureDocker("live-restore", "true")
	h.run("rm -f /root/stdout")
	h.assign(shell(strings.ReplaceAll(fmt.Sprintf(counting, 2000), " echo $n >&2;", ""), "tty: true", "x-dockhost: {unit: {Service: {StandardOutput: 'file:/root/stdout', StandardError: journal}}}"))
	h.ready("app")
	pid := h.pid("app")
	for _, outage := range outages {
		before := h.output("wc -l </root/stdout")
		h.quiet()
		h.run("systemctl reset-failed docker.service docker.socket; " + outage)
		h.run("kill -CONT $(pgrep -P " + pid + ")")
		h.eventually("the file gets lines again", func() error {
			if after := h.output("wc -l </root/stdout"); after == before {
				return fmt.Errorf("%s lines", after)
			}
			return nil
		})
	}
	h.eventually("the file has the last line", func() error {
		if got := h.output("tail -n 1 /root/stdout"); got != "2000" {
			return fmt.Errorf("last line = %q", got)
		}
		return nil
	})
	text := h.run("cat /root/stdout")
	counted(t, "the terminal", strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n"), 2000)
}

// TestExitStatusIsKnownAfterDockerOutage ends a container while Docker is down:
// the unit gets the exit status when Docker is back. Docker itself loses the
// container's last output.
func TestExitStatusIsKnownAfterDockerOutage(t *testing.T) {
	for _, code := range []string{"7", "0"} {
		t.Run("exit code "+code, func(t *testing.T) {
			h := newHost(t)
			h.configureDocker("live-restore", "true")
			since := h.now()
			h.assign(shell("seq 20; while ! [ -e /go ]; do sleep 0.1; done; exit " + code))
			h.ready("app")
			h.eventually("the journal has the first lines", func() error {
				if got := h.lines(since, 6); len(got) != 20 {
					return fmt.Errorf("journal = %q", got)
				}
				return nil
			})
			pid := h.pid("app")
			h.run("systemctl stop docker.service docker.socket && touch /proc/" + pid + "/root/go")
			h.eventually("STATUS= says that the container has ended", func() error {
				if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, "container has ended; waiting for Docker to say how") {
					return fmt.Errorf("StatusText = %q", text)
				}
				return nil
			})
			h.run("systemctl start docker.service")
			h.ended()
			result, want := h.property("dockhost@app", "Result"), map[string]string{"7": "exit-code", "0": "success"}[code]
			if status := h.property("dockhost@app", "ExecMainStatus"); result != want || (code == "7" && status != code) {
				t.Errorf("Result = %s, ExecMainStatus = %s, want %s, %s", result, status, want, code)
			}
			counted(t, "the journal", h.lines(since, 6), 20)
			if left := h.output("docker ps -aq"); left != "" {
				t.Errorf("containers left: %s", left)
			}
		})
	}
}

// TestOutputContinuesWithoutDockerLog restarts Docker under a container without a
// log: the output during the restart is lost, and later output is not.
func TestOutputContinuesWithoutDockerLog(t *testing.T) {
	h := newHost(t)
	h.configureDocker("live-restore", "true")
	since := h.now()
	h.assign(shell("while :; do for n in 1 2 3; do while ! [ -e /go$n ]; do sleep 0.1; done; echo $n; rm /go$n; done; done", "logging: {driver: none}"))
	h.ready("app")
	for n := range 3 {
		h.run(fmt.Sprintf("touch /proc/%s/root/go%d", h.pid("app"), n+1))
		h.eventually("the journal has the next line", func() error {
			if got := h.lines(since, 6); len(got) != n+1 {
				return fmt.Errorf("journal = %q", got)
			}
			return nil
		})
		h.restartDocker()
		h.eventually("the supervisor has attached again", func() error {
			if got := h.output("docker events --since 0 --until $(date +%s.%N) --filter event=attach --filter container=app"); got == "" {
				return errors.New("Docker has no attach event")
			}
			return nil
		})
	}
	counted(t, "the journal", h.lines(since, 6), 3)
	if n := strings.Count(h.said("dockhost@app"), "what the container printed while Docker was away is lost"); n != 1 {
		t.Errorf("the journal warns %d times about the missing log, want once", n)
	}
}

// TestOutputContinuesAfterDockerRestart restarts a container by docker restart:
// its output continues in the journal.
func TestOutputContinuesAfterDockerRestart(t *testing.T) {
	h := newHost(t)
	since := h.now()
	h.assign(shell("trap 'echo 2; exit' TERM; [ -e /again ] && echo 3 || echo 1; touch /again; while :; do sleep 0.1; done", "init: false"))
	h.ready("app")
	h.eventually("the journal has the first line", func() error {
		if got := h.lines(since, 6); len(got) != 1 {
			return fmt.Errorf("journal = %q", got)
		}
		return nil
	})
	h.run("docker restart app")
	h.eventually("the journal has a line of the second start", func() error {
		if got := h.lines(since, 6); len(got) < 3 {
			return fmt.Errorf("journal = %q", got)
		}
		return nil
	})
	counted(t, "the journal", h.lines(since, 6), 3)
}
