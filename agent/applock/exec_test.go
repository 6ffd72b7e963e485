package applock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/engine"
)

// fakeEngine runs one command, or cannot.
type fakeEngine struct {
	status int
	output string
	err    error
	hangs  bool
	state  engine.Container
	gone   bool

	command []string
}

func (f *fakeEngine) Exec(ctx context.Context, _ string, command []string, out io.Writer) (int, error) {
	f.command = command
	_, _ = io.WriteString(out, f.output)
	if f.hangs {
		<-ctx.Done()
		return 0, fmt.Errorf("run a command in the container: it has not ended: %w", context.Cause(ctx))
	}
	return f.status, f.err
}

func (f *fakeEngine) Inspect(context.Context, string) (engine.Container, error) {
	if f.gone {
		return engine.Container{}, engine.ErrNotFound
	}
	return f.state, nil
}

func TestExecFree(t *testing.T) {
	conflict := fmt.Errorf("run a command in the container: %w", engine.ErrConflict)
	tests := []struct {
		name   string
		engine fakeEngine
		free   bool
		output string
		err    string // its end
	}{
		{"free", fakeEngine{}, true, "", ""},
		{"free, and says so", fakeEngine{output: "no job runs\n"}, true, "no job runs", ""},
		{"not now", fakeEngine{status: 75, output: "job 1\njob 2 until 12:00\n\n"}, false, "job 2 until 12:00", ""},
		{"control characters", fakeEngine{status: 75, output: "a\x1b[2Jb\x07\xff"}, false, "a [2Jb \ufffd", ""},
		{"a progress bar", fakeEngine{status: 75, output: "10 %\r20 %\r"}, false, "20 %", ""},
		{"much output", fakeEngine{status: 75, output: strings.Repeat("x", 1<<20)}, false, strings.Repeat("x", 200) + "...", ""},
		{"another status", fakeEngine{status: 1, output: "cannot read /x"}, false, "cannot read /x", "update.lock.exec exited with 1: write a command that exits with 0 (may be stopped) or 75 (not now)"},
		{"no such command", fakeEngine{status: 127}, false, "", "update.lock.exec exited with 127: write a command that exits with 0 (may be stopped) or 75 (not now)"},
		{"no Docker", fakeEngine{err: engine.ErrUnreachable}, false, "", "ask the application by update.lock.exec: " + engine.ErrUnreachable.Error()},
		{"no end", fakeEngine{hangs: true, output: "wait"}, false, "wait", "it has not ended: no end within 30s"},
		{"stopped", fakeEngine{err: conflict, state: engine.Container{Status: "exited"}}, true, "", ""},
		{"removed", fakeEngine{err: conflict, gone: true}, true, "", ""},
		{"unknown", fakeEngine{err: engine.ErrNotFound, gone: true}, true, "", ""},
		{"paused", fakeEngine{err: conflict, state: engine.Container{Name: "web", Status: "paused"}}, false, "", "the container is paused (run: docker unpause web)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				command := []string{"/app", "-may-stop"}
				free, output, err := ExecFree(t.Context(), &test.engine, "id", command)
				if free != test.free || output != test.output || (err == nil) != (test.err == "") || err != nil && !strings.HasSuffix(err.Error(), test.err) {
					t.Errorf("ExecFree() = %t, %q, %v, want %t, %q, %q", free, output, err, test.free, test.output, test.err)
				}
				if diff := cmp.Diff(command, test.engine.command); diff != "" {
					t.Errorf("command (-want +got):\n%s", diff)
				}
				if took := time.Since(began); took > timeout {
					t.Errorf("the question took %s", took)
				}
			})
		})
	}
}

// A caller that ends is not an answer.
func TestExecFreeEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the agent stops")
	cancel(stop)
	if free, _, err := ExecFree(ctx, &fakeEngine{hangs: true}, "id", nil); free || !errors.Is(err, stop) {
		t.Errorf("ExecFree() = %t, %v, want %v", free, err, stop)
	}
}

// Output that arrives in pieces is the same output.
func TestTail(t *testing.T) {
	for _, size := range []int{1, 7, maxOutput - 1, maxOutput, maxOutput + 1} {
		var out tail
		text := strings.Repeat("line\n", 3000) + "the end"
		for piece := range slices.Chunk([]byte(text), size) {
			_, _ = out.Write(piece)
		}
		if got := out.lastLine(); got != "the end" || len(out.text) > maxOutput {
			t.Errorf("pieces of %d: %q of %d bytes", size, got, len(out.text))
		}
	}
}
