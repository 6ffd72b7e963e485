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

// shell assigns a container that runs a script in busybox and is not restarted,
// with these keys of a Compose service.
func shell(script string, keys ...string) string {
	command, _ := json.Marshal([]string{"sh", "-c", script})
	section := "dockhost:\n  containers:\n    app:\n      image: localhost:5000/busybox\n      restart: 'no'\n      command: " +
		strings.ReplaceAll(string(command), "$", "$$") + "\n"
	if len(keys) == 0 || keys[0] != "init: false" {
		section += "      init: true\n" // a shell as PID 1 would ignore SIGTERM
	}
	for _, key := range keys {
		section += "      " + key + "\n"
	}
	return section + registries
}

// entry is an entry of the journal.
type entry struct {
	message, priority, identifier, unit, transport, lineBreak string
}

// entries returns the container's entries since a time, without the supervisor's.
func (h *host) entries(since string) []entry {
	h.Helper()
	out := h.run("journalctl --sync || true; journalctl --no-pager -a -o json -u dockhost@app --since @" + since + " SYSLOG_IDENTIFIER=app _TRANSPORT=stdout || true")
	var entries []entry
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var fields map[string]any
		if err := json.Unmarshal(lines.Bytes(), &fields); err != nil {
			continue // journalctl prints: -- No entries --
		}
		entries = append(entries, entry{
			field(fields["MESSAGE"]), field(fields["PRIORITY"]), field(fields["SYSLOG_IDENTIFIER"]),
			field(fields["_SYSTEMD_UNIT"]), field(fields["_TRANSPORT"]), field(fields["_LINE_BREAK"]),
		})
	}
	return entries
}

// field returns a field of an entry. journalctl prints an array of bytes if the
// field is not valid UTF-8.
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

// now returns the host's time for the --since of journalctl and docker events.
func (h *host) now() string {
	h.Helper()
	return h.output("date +%s.%N")
}

// ended waits until the unit has ended with any result.
func (h *host) ended() {
	h.Helper()
	h.reaches("dockhost@app", "inactive", "failed")
}

// TestOutputReachesJournal checks the entries for lines of various kinds: both
// streams, a long line, arbitrary bytes, a level, and a line without its end.
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
			t.Errorf("unit, identifier of %q = %q, %q, want dockhost@app.service and app", e.message, e.unit, e.identifier)
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
		e, ok := seen[test.message]
		if !ok || e.priority != test.priority || e.lineBreak != test.lineBreak {
			t.Errorf("entry of %q = %+v, want priority %s, line break %q", test.message, e, test.priority, test.lineBreak)
		}
	}
	if shown, _ := h.try("systemctl status --no-pager -l -n 50 dockhost@app"); !strings.Contains(shown, "app[") || !strings.Contains(shown, "begun on stderr") {
		t.Errorf("systemctl status prints %q, want the last line of app", shown)
	}
}

// counted checks that the lines are the numbers from 1 to last.
func counted(t *testing.T, what string, lines []string, last int) {
	t.Helper()
	for i, line := range lines {
		if want := strconv.Itoa(i + 1); line != want {
			t.Fatalf("line %d of %s = %.80q, want %q", i+1, what, line, want)
		}
	}
	if len(lines) != last {
		t.Errorf("%s has %d lines, want %d", what, len(lines), last)
	}
}

// messages returns the messages of the container's entries since a time.
func (h *host) messages(since string) []string {
	h.Helper()
	var lines []string
	for _, e := range h.entries(since) {
		lines = append(lines, e.message)
	}
	return lines
}

// memory returns the anonymous memory of the supervisor in KiB.
func (h *host) memory() int {
	h.Helper()
	kib, err := strconv.Atoi(h.output("awk '/^RssAnon/ {print $2}' /proc/" + h.property("dockhost@app", "MainPID") + "/status"))
	if err != nil {
		h.Fatal(err)
	}
	return kib
}

// TestOutputFloodKeepsMemory runs a container that prints lines as fast as it can:
// the supervisor's memory does not grow, and no line is lost.
func TestOutputFloodKeepsMemory(t *testing.T) {
	const lines = 60_000
	h := newHost(t)
	since := h.now()
	h.assign(shell(fmt.Sprintf("while ! [ -e /go ]; do sleep 0.1; done; seq %d; sleep infinity", lines), "x-dockhost: {unit: {Service: {LogRateLimitIntervalSec: 0}}}"))
	h.ready("app")
	before := h.memory()
	h.run("docker exec app touch /go")
	h.eventually("the journal has the last line", func() error {
		if out := h.output("journalctl --sync; journalctl --no-pager -o cat -n 1 -u dockhost@app SYSLOG_IDENTIFIER=app"); out != strconv.Itoa(lines) {
			return fmt.Errorf("last line = %s", out)
		}
		return nil
	})
	after := h.memory()
	t.Logf("anonymous memory of the supervisor: %d KiB before the flood, %d KiB after it", before, after)
	if after > before+2048 {
		t.Errorf("memory of the supervisor = %d KiB after the flood, want at most 2048 more than %d", after, before)
	}
	counted(t, "the journal", h.messages(since), lines)
}

// TestSlowJournalBlocksContainer stops journald: the container blocks, and no line
// is lost.
func TestSlowJournalBlocksContainer(t *testing.T) {
	const lines = 500_000 // 3.4 MB, more than Docker and the sockets buffer
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
			return fmt.Errorf("Docker's log has grown to %s bytes", logged)
		}
		return nil
	})
	if count := h.output("wc -l <$(docker inspect -f '{{.LogPath}}' app)"); count == strconv.Itoa(lines) {
		t.Errorf("the container wrote all lines while journald was stopped")
	}
	h.run(resume)
	h.within(3*time.Minute, "the journal has the last line", func() error {
		if out := h.output("journalctl --no-pager -o cat -n 1 -u dockhost@app SYSLOG_IDENTIFIER=app"); out != strconv.Itoa(lines) {
			return fmt.Errorf("last line = %s", out)
		}
		return nil
	})
	counted(t, "the journal", strings.Fields(h.run("journalctl --no-pager -o cat -u dockhost@app --since @"+since+" SYSLOG_IDENTIFIER=app _TRANSPORT=stdout")), lines)
}

// TestOutputReachesFileUnchanged sends the unit's output to files: they have the
// container's bytes unchanged.
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
				t.Errorf("files = %q, want %q", got, test.want)
			}
		})
	}
}

// TestOutputSplitsBetweenJournalAndFile sends only stderr to a file.
func TestOutputSplitsBetweenJournalAndFile(t *testing.T) {
	h := newHost(t)
	since := h.now()
	h.run("rm -f /root/stderr")
	h.assign(shell("echo to stdout; echo to stderr >&2", "x-dockhost: {unit: {Service: {StandardError: 'file:/root/stderr'}}}"))
	h.ended()
	if got := h.messages(since); len(got) != 1 || got[0] != "to stdout" {
		t.Errorf("journal = %q, want to stdout", got)
	}
	if got := h.run("grep -v ^dockhost: /root/stderr"); got != "to stderr\n" {
		t.Errorf("file = %q, want to stderr", got)
	}
}

// TestOutputReachesJournalWithAnyDriver runs containers with various log drivers:
// the journal gets the output, and docker logs works as usual.
func TestOutputReachesJournalWithAnyDriver(t *testing.T) {
	tests := []struct {
		logging  string
		readable bool
	}{
		{"{driver: json-file, options: {max-size: 1m}}", true},
		{"{driver: local}", true},
		{"{driver: journald}", true},
		{"{driver: syslog, options: {syslog-address: 'udp://127.0.0.1:9009'}}", true}, // docker logs reads Docker's cache
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
					return fmt.Errorf("journal = %q", got)
				}
				return nil
			})
			if !test.readable {
				if out, code := h.try("docker logs app"); code == 0 {
					t.Errorf("docker logs succeeds and prints %q, want an error", out)
				}
				return
			}
			if out := h.run("docker logs app 2>/dev/null; docker logs app 2>&1 >/dev/null"); out != "to stdout\nto stderr\n" {
				t.Errorf("docker logs prints %q, want both lines", out)
			}
		})
	}
}

// TestOutputSurvivesJournalRestart restarts and kills journald: no line is lost.
func TestOutputSurvivesJournalRestart(t *testing.T) {
	h := newHost(t)
	// SIGPIPE ends other services that write to a journal that has gone.
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
		h.eventually("the journal has the next line", func() error {
			if got := h.messages(since); len(got) != n+1 {
				return fmt.Errorf("journal after %s = %q", kill, got)
			}
			return nil
		})
	}
	counted(t, "the journal", h.messages(since), 6)
}

// TestOutputReachesJournalForUnitUser runs a unit with User= and a container
// without a name: its entries have the unit's name and user.
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
			return fmt.Errorf("journal = %q, want %q", got, want)
		}
		return nil
	})
}
