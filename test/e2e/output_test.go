//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shell is a container of busybox that runs a script and whose unit is not
// restarted, with more of the service's keys.
func shell(script string, keys ...string) string {
	command, _ := json.Marshal([]string{"sh", "-c", script})
	section := "dockhost:\n  containers:\n    app:\n      image: localhost:5000/busybox\n      restart: 'no'\n      command: " +
		strings.ReplaceAll(string(command), "$", "$$") + "\n"
	if len(keys) == 0 || keys[0] != "init: false" {
		section += "      init: true\n" // or a shell would not end on SIGTERM
	}
	for _, key := range keys {
		section += "      " + key + "\n"
	}
	return section + registries
}

// entry is one of the journal's.
type entry struct {
	message, priority, identifier, unit, transport, lineBreak string
}

// entries are those of the container since the host was reset, without the
// supervisor's own.
func (h *host) entries(since string) []entry {
	h.Helper()
	out := h.run("journalctl --sync; journalctl --no-pager -a -o json -u dockhost@app --since @" + since + " SYSLOG_IDENTIFIER=app _TRANSPORT=stdout || true")
	var found []entry
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var fields map[string]any
		if err := json.Unmarshal(lines.Bytes(), &fields); err != nil {
			continue // journalctl says: no entries
		}
		found = append(found, entry{
			field(fields["MESSAGE"]), field(fields["PRIORITY"]), field(fields["SYSLOG_IDENTIFIER"]),
			field(fields["_SYSTEMD_UNIT"]), field(fields["_TRANSPORT"]), field(fields["_LINE_BREAK"]),
		})
	}
	return found
}

// field is a field of the journal: a text, or the bytes of what is none.
func field(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		var b []byte
		for _, n := range v {
			b = append(b, byte(n.(float64)))
		}
		return string(b)
	}
	return ""
}

// now is the host's time, as journalctl's --since takes it.
func (h *host) now() string {
	h.Helper()
	return h.output("date +%s.%N")
}

// ended waits until the unit has ended, whatever its result.
func (h *host) ended() {
	h.Helper()
	h.eventually("the unit ends", func() error {
		if state := h.property("dockhost@app", "ActiveState"); state != "inactive" && state != "failed" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
}

func TestOutputReachesJournal(t *testing.T) {
	h := newHost(t)
	since := h.now()
	h.assign(shell(`
		echo to stdout; echo to stderr >&2
		head -c 200000 /dev/zero | tr '\0' x; echo
		printf 'bytes \001\377\376 end\n'
		printf '<2>with a level\n'
		printf 'begun on stdout'; printf 'begun on stderr' >&2`))
	h.ended()
	var long string
	seen := map[string]entry{}
	for _, e := range h.entries(since) {
		if strings.HasPrefix(e.message, "xxx") {
			long += e.message
			continue
		}
		seen[e.message] = e
		if e.unit != "dockhost@app.service" || e.identifier != "app" {
			t.Errorf("%q is of %q, %q, want dockhost@app.service and app", e.message, e.unit, e.identifier)
		}
	}
	if want := strings.Repeat("x", 200_000); long != want {
		t.Errorf("the long line has %d bytes, want %d", len(long), len(want))
	}
	tests := []struct{ message, priority, lineBreak string }{
		{"to stdout", "6", ""},
		{"to stderr", "3", ""},
		{"bytes \x01\xff\xfe end", "6", ""},
		{"with a level", "2", ""},
		{"begun on stdout", "6", "eof"},
		{"begun on stderr", "3", "eof"},
	}
	for _, test := range tests {
		e, found := seen[test.message]
		if !found || e.priority != test.priority || e.lineBreak != test.lineBreak {
			t.Errorf("%q is %+v, want priority %s, line break %q", test.message, e, test.priority, test.lineBreak)
		}
	}
	if shown, _ := h.try("systemctl status --no-pager -l -n 50 dockhost@app"); !strings.Contains(shown, "app[") || !strings.Contains(shown, "begun on stderr") {
		t.Errorf("systemctl status shows %q", shown)
	}
}

// counted checks that the numbers 1 to last are each in a line of their own,
// and nothing else is.
func counted(t *testing.T, what string, lines []string, last int) {
	t.Helper()
	for i, line := range lines {
		if want := strconv.Itoa(i + 1); line != want {
			t.Fatalf("line %d of %s is %.80q, want %q", i+1, what, line, want)
		}
	}
	if len(lines) != last {
		t.Errorf("%s has %d lines, want %d", what, len(lines), last)
	}
}

func (h *host) messages(since string) []string {
	h.Helper()
	var lines []string
	for _, e := range h.entries(since) {
		lines = append(lines, e.message)
	}
	return lines
}

// memory is the anonymous memory of the supervisor, in KiB.
func (h *host) memory() int {
	h.Helper()
	kib, err := strconv.Atoi(h.output("awk '/^RssAnon/ {print $2}' /proc/" + h.property("dockhost@app", "MainPID") + "/status"))
	if err != nil {
		h.Fatal(err)
	}
	return kib
}

// A container that floods does not grow the supervisor, and nothing is lost.
func TestOutputFloodKeepsMemory(t *testing.T) {
	const lines = 60_000
	h := newHost(t)
	since := h.now()
	h.assign(shell(fmt.Sprintf("while ! [ -e /go ]; do sleep 0.1; done; seq %d; sleep infinity", lines), "x-dockhost: {unit: {Service: {LogRateLimitIntervalSec: 0}}}"))
	h.ready("app")
	before := h.memory()
	h.run("docker exec app touch /go")
	h.eventually("the last line is there", func() error {
		if out := h.output("journalctl --sync; journalctl --no-pager -o cat -n 1 -u dockhost@app SYSLOG_IDENTIFIER=app"); out != strconv.Itoa(lines) {
			return fmt.Errorf("it is %s", out)
		}
		return nil
	})
	after := h.memory()
	t.Logf("anonymous memory of the supervisor: %d KiB, after the flood %d KiB", before, after)
	if after > before+2048 {
		t.Errorf("the supervisor has %d KiB of memory after a flood, %d before", after, before)
	}
	counted(t, "the journal", h.messages(since), lines)
}

// A journal that does not take lines slows the container, and loses none.
func TestSlowJournalBlocksContainer(t *testing.T) {
	const lines = 500_000 // 3.4 MB, more than Docker and the sockets hold
	h := newHost(t)
	since := h.now()
	h.assign(shell(fmt.Sprintf("while ! [ -e /go ]; do sleep 0.1; done; seq %d; sleep infinity", lines), "x-dockhost: {unit: {Service: {StandardOutput: journal}}}"))
	h.ready("app")
	h.run("docker exec app touch /go")
	resume := "systemctl kill -s CONT systemd-journald"
	t.Cleanup(func() { h.try(resume) })
	h.run("systemctl kill -s STOP systemd-journald")
	logged := ""
	h.eventually("the container is blocked", func() error {
		before := logged
		logged = h.output("sleep 1; wc -c <$(docker inspect -f '{{.LogPath}}' app)")
		if logged != before {
			return fmt.Errorf("its log has %s bytes", logged)
		}
		return nil
	})
	if count := h.output("wc -l <$(docker inspect -f '{{.LogPath}}' app)"); count == strconv.Itoa(lines) {
		t.Errorf("the container wrote all of its lines while the journal took none")
	}
	h.run(resume)
	h.within(3*time.Minute, "the last line is there", func() error {
		if out := h.output("journalctl --no-pager -o cat -n 1 -u dockhost@app SYSLOG_IDENTIFIER=app"); out != strconv.Itoa(lines) {
			return fmt.Errorf("it is %s", out)
		}
		return nil
	})
	counted(t, "the journal", strings.Fields(h.run("journalctl --no-pager -o cat -u dockhost@app --since @"+since+" SYSLOG_IDENTIFIER=app _TRANSPORT=stdout")), lines)
}

// Where the unit's output is not the journal, it goes there as it is.
func TestOutputReachesFileUnchanged(t *testing.T) {
	tests := []struct {
		name, tty, want string
	}{
		{"two files", "false", "to \x1b[31mstdout\x1b[0m\nbegun|to stderr\n"},
		{"a terminal", "true", "to \x1b[31mstdout\x1b[0m\r\nto stderr\r\nbegun|"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.run("rm -f /root/stdout /root/stderr")
			h.assign(shell(`printf 'to \033[31mstdout\033[0m\n'; sleep 1; echo to stderr >&2; sleep 1; printf begun`, "tty: "+test.tty,
				"x-dockhost: {unit: {Service: {StandardOutput: 'file:/root/stdout', StandardError: 'file:/root/stderr'}}}"))
			h.ended()
			got := h.run("cat /root/stdout; printf '|'; grep -v ^dockhost: /root/stderr || true")
			if got != test.want {
				t.Errorf("the files have %q, want %q", got, test.want)
			}
		})
	}
}

// One of the two may go elsewhere.
func TestOutputSplitsBetweenJournalAndFile(t *testing.T) {
	h := newHost(t)
	since := h.now()
	h.run("rm -f /root/stderr")
	h.assign(shell("echo to stdout; echo to stderr >&2", "x-dockhost: {unit: {Service: {StandardError: 'file:/root/stderr'}}}"))
	h.ended()
	if got := h.messages(since); len(got) != 1 || got[0] != "to stdout" {
		t.Errorf("the journal has %q, want stdout", got)
	}
	if got := h.run("grep -v ^dockhost: /root/stderr"); got != "to stderr\n" {
		t.Errorf("the file has %q, want stderr", got)
	}
}

// Whatever Docker does with the output itself, it comes, and `docker logs`
// shows what it would.
func TestOutputReachesJournalWithAnyDriver(t *testing.T) {
	tests := []struct {
		logging  string
		readable bool
	}{
		{"{driver: json-file, options: {max-size: 1m}}", true},
		{"{driver: local}", true},
		{"{driver: journald}", true},
		{"{driver: syslog, options: {syslog-address: 'udp://127.0.0.1:9009'}}", true}, // by Docker's own cache
		{"{driver: gelf, options: {gelf-address: 'udp://127.0.0.1:9009'}}", true},
		{"{driver: none}", false},
	}
	for _, test := range tests {
		t.Run(test.logging, func(t *testing.T) {
			h := newHost(t)
			h.run("systemd-run -q --collect --unit=sink systemd-socket-activate --datagram -l 127.0.0.1:9009 sleep infinity")
			t.Cleanup(func() { h.run("systemctl stop sink.service") })
			since := h.now()
			h.assign(shell("echo to stdout; echo to stderr >&2; sleep infinity", "logging: "+test.logging))
			h.eventually("both lines are in the journal", func() error {
				got := h.messages(since)
				if slices.Sort(got); len(got) != 2 || got[0] != "to stderr" || got[1] != "to stdout" {
					return fmt.Errorf("it has %q", got)
				}
				return nil
			})
			if !test.readable {
				if out, code := h.try("docker logs app"); code == 0 {
					t.Errorf("docker logs says %q", out)
				}
				return
			}
			if out := h.run("docker logs app 2>/dev/null; docker logs app 2>&1 >/dev/null"); out != "to stdout\nto stderr\n" {
				t.Errorf("docker logs says %q", out)
			}
		})
	}
}

// The journal may go and come back.
func TestOutputSurvivesJournalRestart(t *testing.T) {
	h := newHost(t)
	// Others are ended by SIGPIPE when they write to a journal that went away.
	t.Cleanup(func() { h.run("systemctl restart docker-registry.service") })
	since := h.now()
	h.assign(shell("for n in 1 2 3 4 5 6; do while ! [ -e /go$n ]; do sleep 0.1; done; echo $n; done; sleep infinity"))
	h.ready("app")
	for n, kill := range []string{
		"true", "systemctl restart systemd-journald", "systemctl kill -s KILL systemd-journald",
		"systemctl stop systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket; docker exec app touch /go4; systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service",
		"true", "true",
	} {
		h.run(kill)
		h.run(fmt.Sprintf("docker exec app touch /go%d", n+1))
		h.eventually("the next line is there", func() error {
			if got := h.messages(since); len(got) != n+1 {
				return fmt.Errorf("the journal has %q after %s", got, kill)
			}
			return nil
		})
	}
	counted(t, "the journal", h.messages(since), 6)
}

// A unit's user other than root has streams of its own too, and a container
// without a name those of the unit's.
func TestOutputReachesJournalForUnitUser(t *testing.T) {
	h := newHost(t)
	h.login()
	h.run("docker pull -q localhost:5000/busybox; useradd -m -G docker deploy")
	t.Cleanup(func() { h.run("userdel -r deploy 2>/dev/null || true") })
	since := h.now()
	h.unit("job.service", service("/usr/bin/dockhost run --rm localhost:5000/busybox sh -c 'echo to stdout; echo to stderr >&2; sleep infinity'", "User=deploy"))
	h.start("job")
	h.eventually("both lines are in the journal", func() error {
		got := h.output("journalctl --sync; journalctl --no-pager -o json -u job --since @" + since +
			" SYSLOG_IDENTIFIER=job _TRANSPORT=stdout | jq -r '[.MESSAGE, .PRIORITY, ._SYSTEMD_UNIT, ._UID] | join(\" \")' | sort")
		uid := h.output("id -u deploy")
		if want := "to stderr 3 job.service " + uid + "\nto stdout 6 job.service " + uid; got != want {
			return fmt.Errorf("it has %q, want %q", got, want)
		}
		return nil
	})
}
