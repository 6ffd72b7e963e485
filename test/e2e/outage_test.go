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

// counting prints the numbers up to last, some each hundredth of a second, to
// stdout and stderr in turn, and says so.
const counting = "n=1; while [ $n -le %[1]d ]; do echo $n; echo $n >&2; n=$((n+1)); usleep 5000; done; touch /counted; sleep infinity"

// outages are ways in which Docker goes away and comes back.
var outages = []string{
	"systemctl kill -s KILL docker.service",
	"systemctl restart docker.service",
	"systemctl stop docker.service docker.socket; systemctl start docker.service",
}

// quiet has the container's processes stand still, and Docker read what they
// wrote.
func (h *host) quiet() {
	h.Helper()
	h.run("kill -STOP $(pgrep -P " + h.pid("app") + ")")
	logged := ""
	h.eventually("docker has read all", func() error {
		before := logged
		if logged = h.output("docker logs app 2>&1 | wc -l"); logged != before {
			return fmt.Errorf("%s lines", logged)
		}
		return nil
	})
}

// lines are the container's lines in the journal, of the one stream or the
// other.
func (h *host) lines(since string, priority int) []string {
	h.Helper()
	return strings.Fields(h.run(fmt.Sprintf(
		"journalctl --sync; journalctl --no-pager -o cat -u dockhost@app --since @%s SYSLOG_IDENTIFIER=app _TRANSPORT=stdout PRIORITY=%d", since, priority)))
}

// With live-restore no line is lost or doubled, however often Docker goes. What
// Docker has read and not logged when it is killed nobody has any more: so the
// container stands still for the moment, or else the journal has what Docker
// has.
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
				h.eventually("lines come again", func() error {
					if after := len(h.lines(since, 6)); after <= before {
						return fmt.Errorf("%d lines after %s, %d before", after, outage, before)
					}
					return nil
				})
			}
			h.eventually("all is written", func() error {
				if _, code := h.try("test -e /proc/" + pid + "/root/counted"); code != 0 {
					return errors.New("it counts")
				}
				return nil
			})
			logged := h.output("docker logs app 2>/dev/null | tail -n 1")
			for stream, priority := range map[string]int{"stdout": 6, "stderr": 3} {
				var got []string
				h.eventually("the last line is relayed", func() error {
					if got = h.lines(since, priority); len(got) == 0 || got[len(got)-1] != logged {
						return fmt.Errorf("the journal has %d lines", len(got))
					}
					return nil
				})
				if test.quiet {
					counted(t, stream, got, last)
					continue
				}
				kept := strings.Fields(h.run("docker logs app 2>&1 " + map[string]string{"stdout": "2>/dev/null", "stderr": ">/dev/null"}[stream]))
				t.Logf("%s: %d lines of %d are in the journal, %d in Docker's log", stream, len(got), last, len(kept))
				covers(t, stream, got, kept)
			}
			if after := h.pid("app"); after != pid {
				t.Errorf("pid = %s, want %s", after, pid)
			}
		})
	}
}

// covers checks that got has all numbers of kept, and each once, in order.
func covers(t *testing.T, what string, got, kept []string) {
	t.Helper()
	last := 0
	for _, line := range got {
		n, err := strconv.Atoi(line)
		if err != nil || n <= last {
			t.Fatalf("%s has %q after %d", what, line, last)
		}
		last = n
	}
	for _, line := range kept {
		if !slices.Contains(got, line) {
			t.Errorf("%s lacks %q, which Docker has", what, line)
		}
	}
}

// A terminal's output goes on as well.
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
		h.eventually("lines come again", func() error {
			if after := h.output("wc -l </root/stdout"); after == before {
				return fmt.Errorf("%s lines", after)
			}
			return nil
		})
	}
	h.eventually("the last line is there", func() error {
		if got := h.output("tail -n 1 /root/stdout"); got != "2000" {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	text := h.run("cat /root/stdout")
	counted(t, "the terminal", strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n"), 2000)
}

// How a container ended while Docker was away is learnt when Docker is back.
// What it printed since Docker went, and then ended, Docker itself loses.
func TestExitStatusIsKnownAfterDockerOutage(t *testing.T) {
	for _, code := range []string{"7", "0"} {
		t.Run("exit code "+code, func(t *testing.T) {
			h := newHost(t)
			h.configureDocker("live-restore", "true")
			since := h.now()
			h.assign(shell("seq 20; while ! [ -e /go ]; do sleep 0.1; done; exit " + code))
			h.ready("app")
			h.eventually("it has begun", func() error {
				if got := h.lines(since, 6); len(got) != 20 {
					return fmt.Errorf("the journal has %q", got)
				}
				return nil
			})
			pid := h.pid("app")
			h.run("systemctl stop docker.service docker.socket && touch /proc/" + pid + "/root/go")
			h.eventually("systemctl status says that it has ended", func() error {
				if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, "container has ended; waiting for Docker to say how") {
					return fmt.Errorf("it says %q", text)
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

// Without a log, what was printed meanwhile is lost, and what comes is not.
func TestOutputContinuesWithoutDockerLog(t *testing.T) {
	h := newHost(t)
	h.configureDocker("live-restore", "true")
	since := h.now()
	h.assign(shell("while :; do for n in 1 2 3; do while ! [ -e /go$n ]; do sleep 0.1; done; echo $n; rm /go$n; done; done", "logging: {driver: none}"))
	h.ready("app")
	for n := range 3 {
		h.run(fmt.Sprintf("touch /proc/%s/root/go%d", h.pid("app"), n+1))
		h.eventually("the next line is there", func() error {
			if got := h.lines(since, 6); len(got) != n+1 {
				return fmt.Errorf("the journal has %q", got)
			}
			return nil
		})
		h.restartDocker()
		h.eventually("it is attached again", func() error {
			if got := h.output("docker events --since 0 --until $(date +%s.%N) --filter event=attach --filter container=app"); got == "" {
				return errors.New("nobody is")
			}
			return nil
		})
	}
	counted(t, "the journal", h.lines(since, 6), 3)
	if said := strings.Count(h.said("dockhost@app"), "what the container printed while Docker was away is lost"); said != 1 {
		t.Errorf("it was said %d times that there is no log, want once", said)
	}
}

// A container that is restarted through Docker goes on in the same streams.
func TestOutputContinuesAfterDockerRestart(t *testing.T) {
	h := newHost(t)
	since := h.now()
	h.assign(shell("trap 'echo 2; exit' TERM; [ -e /again ] && echo 3 || echo 1; touch /again; while :; do sleep 0.1; done", "init: false"))
	h.ready("app")
	h.eventually("it has begun", func() error {
		if got := h.lines(since, 6); len(got) != 1 {
			return fmt.Errorf("the journal has %q", got)
		}
		return nil
	})
	h.run("docker restart app")
	h.eventually("it has begun again", func() error {
		if got := h.lines(since, 6); len(got) < 3 {
			return fmt.Errorf("the journal has %q", got)
		}
		return nil
	})
	counted(t, "the journal", h.lines(since, 6), 3)
}
