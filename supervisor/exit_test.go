package supervisor

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine/enginetest"
)

// The exit status is the container's own.
func TestExitStatus(t *testing.T) {
	ended := func(code int) func(context.Context, *enginetest.Process) int {
		return func(context.Context, *enginetest.Process) int { return code }
	}
	tests := []struct {
		name    string
		run     func(context.Context, *enginetest.Process) int
		code    int
		problem string
	}{
		{"well", ended(0), 0, ""},
		{"badly", ended(7), 7, "container ended with exit code 7"},
		{"by a signal", ended(137), 137, "container was killed by signal 9 (exit code 137)"},
		{"above the signals", ended(255), 255, "container ended with exit code 255"},
		{"out of memory", func(_ context.Context, p *enginetest.Process) int {
			p.OutOfMemory()
			return 137
		}, 137, "container was killed: out of memory (exit code 137)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.program(test.run)
			r.start().ends(test.code, test.problem)
		})
	}
}

// The end by a signal through Docker is a failure if the signal is not a stop's.
func TestDockerKill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.program(untilSIGTERM(143))
	l := r.start()
	l.ready()
	r.server.Kill("app", unix.SIGTERM)
	l.ends(143, "killed by signal 15")
	l.blames(false)
}

// A signal that the container survived does not explain its end later.
func TestSurvivedKill(t *testing.T) {
	r := newRig(t)
	survived := make(chan struct{})
	r.program(func(_ context.Context, p *enginetest.Process) int {
		<-p.Signals
		<-survived
		return 7
	})
	l := r.start()
	l.ready()
	r.server.Kill("app", unix.SIGHUP)
	close(survived)
	l.ends(7, "container ended with exit code 7")
	l.blames(true)
}

// An end without a signal before it is judged at once, without a wait for the
// events of a stop.
func TestCrashIsJudgedAtOnce(t *testing.T) {
	r := newRig(t)
	crash := make(chan string)
	r.program(controlled(nil, crash))
	l := r.start()
	l.ready()
	began := time.Now()
	crash <- ""
	l.ends(7, "exit code 7")
	if took := time.Since(began); took > eventLag {
		t.Errorf("Run() took %s to judge a crash, want less than the wait for a stop", took)
	}
}

func TestDockerRemove(t *testing.T) {
	r := newRig(t)
	l := r.start()
	l.ready()
	if err := r.engine().Remove(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	l.ends(exitKilled, "container was removed by docker rm")
	l.blames(false)
}

// The supervisor notices the end of the process even if Docker does not.
func TestDockerMissesTheEnd(t *testing.T) {
	r := newRig(t)
	r.codeTimeout = 50 * time.Millisecond
	l := r.start()
	l.ready()
	_ = r.process.Kill()
	l.ends(ExitNotRun, "did not say how within 50ms (is docker.service running?)")
}

// When Docker itself stops without live-restore, the end of the container is a
// failure, so that systemd starts it again.
func TestDockerLeaves(t *testing.T) {
	r := newRig(t)
	r.program(untilSIGTERM(0))
	l := r.start()
	l.ready()
	r.server.Leave()
	select {
	case <-l.done:
	case <-time.After(patience):
		t.Fatalf("Run() did not return within %s", patience)
	}
	if l.code == 0 || l.err == nil {
		t.Errorf("Run() = %d, %v, want an error", l.code, l.err)
	}
}

// Docker 20.10 still answers while it stops its containers, and a restarted Docker
// answers again; but systemd knows when it stopped.
func TestDockerStops(t *testing.T) {
	for name, code := range map[string]int{"before the container": 0, "under the container": 1} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.units.dockerLeft = time.Now().Add(-time.Hour)
			if code != 0 {
				r.units.dockerLeft = time.Now().Add(time.Hour)
			}
			r.program(untilSIGTERM(0))
			problem := ""
			if code != 0 {
				problem = "docker stopped and took the container along"
			}
			l := r.start()
			l.ready()
			r.server.Kill("app", unix.SIGTERM)
			l.ends(code, problem)
		})
	}
}

func TestSigns(t *testing.T) {
	tests := []struct {
		name                   string
		events                 func(s *signs)
		maybeStopped, complete bool
	}{
		{"nothing heard", func(*signs) {}, true, false},
		{"ended by itself", func(s *signs) { s.died = true }, false, true},
		{"signal", func(s *signs) { s.signal(unix.SIGTERM, unix.SIGTERM) }, true, false},
		{"signal, then the end", func(s *signs) { s.signal(unix.SIGTERM, unix.SIGTERM); s.died = true }, true, false},
		{"docker stop", func(s *signs) { s.signal(unix.SIGTERM, unix.SIGTERM); s.died, s.stopped = true, true }, true, true},
		{"docker kill", func(s *signs) { s.signal(unix.SIGKILL, unix.SIGTERM); s.died = true }, false, true},
		{"docker kill of what SIGKILL stops", func(s *signs) { s.signal(unix.SIGKILL, unix.SIGKILL); s.died = true }, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s signs
			test.events(&s)
			if s.maybeStopped() != test.maybeStopped || s.complete() != test.complete {
				t.Errorf("maybeStopped() = %v, complete() = %v, want %v, %v", s.maybeStopped(), s.complete(), test.maybeStopped, test.complete)
			}
		})
	}
}
