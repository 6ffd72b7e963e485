package supervisor

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/spec"
)

// relayed waits until the supervisor's output is this.
func (l *life) relayed(stdout, stderr string) {
	l.t.Helper()
	l.until("the output", func() bool { return len(l.stdout.String()) >= len(stdout) && len(l.stderr.String()) >= len(stderr) })
	if got, errs := l.stdout.String(), l.stderr.String(); got != stdout || errs != stderr {
		l.t.Fatalf("the output is %q and %q, want %q and %q", got, errs, stdout, stderr)
	}
}

func lastOf(lines []string) string { return lines[len(lines)-1] }

// No output is lost or repeated when Docker comes back. At its end, Docker may have
// written more to its log than to the attached connection, or less.
func TestOutputGoesOn(t *testing.T) {
	for _, tty := range []bool{false, true} {
		for _, held := range []string{"nothing", "log", "attached"} {
			t.Run(fmt.Sprintf("terminal %t, held back: %s", tty, held), func(t *testing.T) {
				r := newRig(t)
				r.spec.Config.Tty = tty
				texts := make(chan string)
				r.program(writes(texts))
				l := r.start()
				l.ready()
				end, errors := "\n", "!"
				if tty {
					end, errors = "\r\n", ""
				}
				var stdout, stderr string
				say := func(text string, lost bool) {
					texts <- text + "\n"
					if lost {
						return
					}
					if stdout += text + end; errors != "" {
						texts <- errors + text + "\n"
						stderr += errors + text + end
					}
				}
				say("one", false)
				say("two", false)
				l.relayed(stdout, stderr)
				r.server.Hold(held == "log", held == "attached")
				for n := range 3 {
					say(fmt.Sprintf("held back %d", n), false)
				}
				if held != "attached" {
					l.relayed(stdout, stderr)
				}
				for n := range 3 {
					l.down()
					say(fmt.Sprintf("meanwhile %d", n), false)
					l.up()
					l.relayed(stdout, stderr)
					say(fmt.Sprintf("after %d", n), false)
					l.relayed(stdout, stderr)
				}
				texts <- ""
				l.ends(7, "exit code 7")
				l.relayed(stdout, stderr)
			})
		}
	}
}

// The beginning of a line is not written again.
func TestOutputGoesOnWithinALine(t *testing.T) {
	r := newRig(t)
	texts := make(chan string)
	r.program(writes(texts))
	l := r.start()
	l.ready()
	texts <- "one\nbeg"
	l.relayed("one\nbeg", "")
	l.down()
	texts <- "un\ntwo\n"
	l.up()
	l.relayed("one\nbegun\ntwo\n", "")
	long := strings.Repeat("0123456789", 5000)
	texts <- long + "\nend"
	l.relayed("one\nbegun\ntwo\n"+long+"\n", "")
	texts <- ""
	l.ends(7, "exit code 7")
	l.relayed("one\nbegun\ntwo\n"+long+"\nend", "")
}

// The output of a container that ended while Docker was away is relayed.
func TestOutputOfWhatEnded(t *testing.T) {
	r := newRig(t)
	texts := make(chan string)
	r.program(writes(texts))
	l := r.start()
	l.ready()
	texts <- "one\n"
	l.relayed("one\n", "")
	l.down()
	texts <- "two\n"
	texts <- ""
	l.server.Up()
	l.ends(7, "container ended with exit code 7")
	l.relayed("one\ntwo\n", "")
}

// Without a log, or with a broken one, the supervisor attaches again, and logs once
// that output is lost.
func TestOutputWithoutLog(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		r := newRig(t)
		r.spec.HostConfig.LogConfig = container.LogConfig{Type: "none"}
		r.losesOutput("what the container printed while Docker was away is lost")
	})
	t.Run("broken", func(t *testing.T) {
		r := newRig(t)
		r.server.BreakLogs("Error grabbing logs: invalid character '{' looking for beginning of object key string")
		r.losesOutput("output is lost, because Docker cannot read the container's log; a full disk damages it")
	})
	t.Run("broken, with Docker 29", func(t *testing.T) {
		r := newRig(t)
		r.server.BreakLogs("")
		r.losesOutput("output is lost, because Docker cannot read the container's log; a full disk damages it")
	})
}

// losesOutput restarts Docker several times under a container whose log cannot be
// read, and checks that the loss is logged once.
func (r *rig) losesOutput(message string) {
	t := r.t
	t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	r.log = zap.New(core)
	texts := make(chan string)
	r.program(writes(texts))
	l := r.start()
	l.ready()
	want := ""
	for range 3 {
		l.down()
		l.up()
		// It attaches a moment later.
		l.until("that it is attached", func() bool {
			texts <- "again\n"
			return strings.HasSuffix(l.stdout.String(), want+"again\n")
		})
		want = l.stdout.String()
	}
	texts <- ""
	l.ends(7, "exit code 7")
	said := slices.DeleteFunc(logs.All(), func(e observer.LoggedEntry) bool {
		return e.Message != message
	})
	if len(said) != 1 {
		t.Errorf("the loss of output was logged %d times, want once", len(said))
	}
}

// The streams that the declaration asks for are relayed.
func TestOutputWanted(t *testing.T) {
	tests := []struct {
		name           string
		run            *spec.Run
		stdout, stderr string
	}{
		{"assigned", nil, "out", "!err"},
		{"both", &spec.Run{Stdout: true, Stderr: true}, "out", "!err"},
		{"stdout", &spec.Run{Stdout: true}, "out", ""},
		{"stderr", &spec.Run{Stderr: true}, "", "!err"},
		{"quiet", &spec.Run{Quiet: true, Stdout: true, Stderr: true}, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.spec.Run = test.run
			texts := make(chan string)
			r.program(writes(texts))
			l := r.start()
			l.ready()
			texts <- "out"
			texts <- "!err"
			texts <- ""
			l.ends(7, "exit code 7")
			l.relayed(test.stdout, test.stderr)
		})
	}
}
