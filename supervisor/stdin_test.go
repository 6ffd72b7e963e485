package supervisor

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// echoes copies its input to its output, and ends with it.
func echoes(ctx context.Context, p *enginetest.Process) int {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(p.Stdout, p.Stdin)
	}()
	select {
	case <-ended:
		return 0
	case <-p.Signals:
		return 0
	case <-ctx.Done():
		return 0
	}
}

// A container that opens its standard input gets the supervisor's, and its end.
func TestStdinIsRelayed(t *testing.T) {
	for name, run := range map[string]*spec.Run{"assigned": nil, "own unit": newRun()} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.spec.Run, r.spec.Config.OpenStdin = run, true
			r.program(echoes)
			r.stdin = strings.NewReader("one\ntwo\n")
			l := r.start()
			l.ends(0, "")
			if got := r.stdout.String(); got != "one\ntwo\n" {
				t.Errorf("the container printed %q, want its input", got)
			}
		})
	}
}

// Input that is not for the container stays where it is, and the container's own stays
// open.
func TestStdinStaysOpen(t *testing.T) {
	tests := map[string]struct {
		stdin io.Reader
		open  bool
		run   *spec.Run
	}{
		"nothing to relay":  {nil, true, newRun()},
		"without -i":        {strings.NewReader("x"), false, newRun()},
		"in the background": {strings.NewReader("x"), true, &spec.Run{Stdout: true, Stderr: true, Background: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.spec.Run, r.spec.Config.OpenStdin, r.stdin = test.run, test.open, test.stdin
			r.program(echoes)
			l := r.start()
			l.ready()
			l.stop()
			l.ends(0, "")
			if got := r.stdout.String(); got != "" {
				t.Errorf("the container printed %q, want nothing", got)
			}
		})
	}
}

// endless is input without an end.
type endless struct{}

func (endless) Read(text []byte) (int, error) { return len(text), nil }

// A container that does not read its input does not block the supervisor.
func TestStdinIsNotRead(t *testing.T) {
	r := newRig(t)
	r.spec.Config.OpenStdin, r.stdin = true, endless{}
	r.program(untilSIGTERM(0))
	l := r.start()
	l.ready()
	l.stop()
	l.ends(0, "")
}
