package supervisor

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// A docker stop that had to kill is told from one that had not.
func TestDockerStopKills(t *testing.T) {
	r := newRig(t)
	r.command("-ignore-sigterm")
	l := r.start()
	l.ready()
	if err := r.engine().Stop(t.Context(), "app", 0); err != nil {
		t.Fatal(err)
	}
	l.ends(exitKilled, "container did not end on its stop signal and was killed")
}

// A signal that the container survived is no reason for its end later.
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
}

// Without a signal before it an end is judged at once, and not after a wait
// for what a stop would be followed by.
func TestCrashIsJudgedAtOnce(t *testing.T) {
	r := newRig(t)
	crash := make(chan string)
	r.program(told(nil, crash))
	l := r.start()
	l.ready()
	began := time.Now()
	crash <- ""
	l.ends(7, "exit code 7")
	if took := time.Since(began); took > eventLag {
		t.Errorf("Run() took %s to judge a crash, want less than a stop takes to be told", took)
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
}

// Docker restarts the container in its place, and the unit goes on.
func TestDockerRestart(t *testing.T) {
	r := newRig(t)
	lines := make(chan string)
	r.program(told(nil, lines))
	l := r.start()
	for n := range 3 {
		l.until("READY=1", func() bool { return r.notify.count("READY") == n+1 })
		l.until("the container's output", func() bool {
			before := len(r.stdout.String())
			lines <- "line"
			<-time.After(5 * time.Millisecond)
			return len(r.stdout.String()) > before
		})
		r.server.Restart("app")
	}
	l.until("READY=1", func() bool { return r.notify.count("READY") == 4 })
	if n := r.notify.count("STOPPING"); n != 0 {
		t.Errorf("systemd was told, want that it goes on:\n%s", r.notify)
	}
	lines <- ""
	l.ends(7, "exit code 7")
}

// A restarted container has to become healthy anew.
func TestDockerRestartUnready(t *testing.T) {
	r := newRig(t)
	r.spec.Notify = spec.NotifyHealthy
	health := make(chan container.HealthStatus)
	r.program(told(health, nil))
	l := r.start()
	health <- container.Healthy
	l.ready()
	r.server.Restart("app")
	l.until("unready", func() bool { return l.state().Phase == string(phaseUnready) && !l.state().Ready })
	health <- container.Healthy
	l.until("ready again", func() bool { return r.notify.count("READY") == 2 })
	l.stop()
	l.ends(0, "")
}

// A restart is no way out of the unit.
func TestDockerRestartElsewhere(t *testing.T) {
	r := newRig(t)
	l := r.start()
	l.ready()
	r.bornIn("/docker/0123")
	r.server.Restart("app")
	l.ends(ExitNotRun, `container was born in cgroup "/docker/0123"`)
}

// The end of the process is known also where Docker misses it.
func TestDockerMissesTheEnd(t *testing.T) {
	r := newRig(t)
	r.codeTimeout = 50 * time.Millisecond
	l := r.start()
	l.ready()
	_ = r.process.Kill()
	l.ends(ExitNotRun, "did not say how within 50ms (is docker.service running?)")
}

// A command that cannot be run is told from an Engine that cannot run it, as
// docker run does.
func TestCommandNotRun(t *testing.T) {
	for command, code := range map[string]int{"/nonexistent": exitNotFound, "/etc": exitNotInvoked} {
		r := newRig(t)
		r.spec.Config.Entrypoint = []string{command}
		r.start().ends(code, command)
	}
}

// What a killed supervisor left is removed by the next one of its unit.
func TestSweep(t *testing.T) {
	r := newRig(t)
	r.command("-exit-after", "10ms")
	r.write("proc/7/stat", procStat(7, 300))
	docker := r.engine()
	made := func(name, supervisor string) string {
		id, _, err := docker.Create(t.Context(), engine.CreateRequest{
			Name: name, Config: &container.Config{Image: "app:1", Labels: map[string]string{request.LabelUnit: unitName, request.LabelSupervisor: supervisor}},
			HostConfig: &container.HostConfig{},
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	place := func(id, unit string) string {
		if err := os.MkdirAll(r.dir.RuntimeDir(), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := placement.Write(r.dir.RuntimeDir(), id, placement.Placement{Unit: unit, CgroupPath: unitCgroup + "/container"}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	renamed := place(made("renamed", "7/200/b007"), unitName)
	place(strings.Repeat("0", 64), unitName)
	other := place(strings.Repeat("1", 64), "other.service")
	sibling := place(made("sibling", "7/300/b007"), unitName)
	r.write("run/runtime/.tmp-"+renamed, "{")
	r.start().exits(0, "")
	if _, err := docker.Inspect(t.Context(), renamed); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("Inspect() of a leftover = %v, want ErrNotFound", err)
	}
	if _, err := docker.Inspect(t.Context(), sibling); err != nil {
		t.Errorf("Inspect() of what another command of the unit runs = %v", err)
	}
	var left []string
	entries, _ := os.ReadDir(r.dir.RuntimeDir())
	for _, entry := range entries {
		left = append(left, strings.TrimSuffix(entry.Name(), ".json"))
	}
	want := []string{other, sibling}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("placements left: %v, want %v", left, want)
	}
}

func TestGrace(t *testing.T) {
	tests := []struct {
		name string
		own  int
		unit time.Duration
		want time.Duration
	}{
		{"unit without a limit", 3600, 0, time.Hour},
		{"neither has a limit", -1, 0, -time.Second},
		{"container without a limit", -1, 90 * time.Second, 88 * time.Second},
		{"both, the container's", 10, 90 * time.Second, 10 * time.Second},
		{"both, the unit's", 60, 15 * time.Second, 13 * time.Second},
		{"as long as each other", 15, 15 * time.Second, 13 * time.Second},
		{"no time", 60, 2 * time.Second, time.Second},
		{"at once", 0, 90 * time.Second, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := stopper{
				container: &spec.Container{Config: &container.Config{StopTimeout: &test.own}},
				unit:      &unit{name: unitName, manager: fakeUnits{timeoutStop: test.unit}}, log: zap.NewNop(),
			}
			if got := s.grace(t.Context()); got != test.want {
				t.Errorf("grace() = %s, want %s", got, test.want)
			}
		})
	}
}

func TestProcess(t *testing.T) {
	command := exec.CommandContext(t.Context(), "sleep", "infinity")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := openProcess(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if p.file == nil {
		t.Skip("the kernel has no pidfds")
	}
	if !p.alive() {
		t.Error("alive() = false, want true")
	}
	if err := p.signal(unix.SIGTERM); err != nil {
		t.Errorf("signal() = %v", err)
	}
	select {
	case <-p.ended():
	case <-time.After(patience):
		t.Errorf("the process has not ended within %s", patience)
	}
	if p.alive() {
		t.Error("alive() after its end = true, want false")
	}
	_ = command.Wait()
	if err := p.signal(unix.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal() after its end = %v, want ErrProcessDone", err)
	}
	if again, err := openProcess(command.Process.Pid); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("openProcess() after its end = %+v, %v, want ErrProcessDone", again, err)
	}
	var none *process
	if none.alive() || none.id() != 0 || none.ended() != nil || !errors.Is(none.signal(unix.SIGTERM), os.ErrProcessDone) {
		t.Error("no process is alive")
	}
}

func TestStopSignal(t *testing.T) {
	tests := map[string]unix.Signal{
		"": unix.SIGTERM, "SIGQUIT": unix.SIGQUIT, "quit": unix.SIGQUIT, "3": unix.SIGQUIT, "SIGRTMIN+3": 37, "RTMIN": 34, "RTMAX-2": 62,
		"SIGRTMIN+99": unix.SIGTERM, "nonsense": unix.SIGTERM, "0": unix.SIGTERM, "65": unix.SIGTERM, "-9": unix.SIGTERM,
	}
	for name, want := range tests {
		if got := stopSignal(name); got != want {
			t.Errorf("stopSignal(%q) = %d, want %d", name, got, want)
		}
	}
}

// On cgroup v1 a process that ends is in the root cgroup before it has ended.
func TestEndsAtOnce(t *testing.T) {
	r := newRig(t)
	r.runs("echo; sleep 0.2")
	r.bornIn("/")
	r.program(func(ctx context.Context, _ *enginetest.Process) int {
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
		return 7
	})
	l := r.start()
	l.exits(7, "container ended with exit code 7")
	l.leftNothing()
}
