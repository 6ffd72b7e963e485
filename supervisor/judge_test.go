package supervisor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// fakeJudgeEngine answers what a judge asks.
type fakeJudgeEngine struct {
	container        engine.Container
	inspect, ping    error
	liveRestore      bool
	infoErr          error
	inspectedWith    string
	pingHasADeadline bool
}

func (f *fakeJudgeEngine) Inspect(_ context.Context, id string) (engine.Container, error) {
	f.inspectedWith = id
	return f.container, f.inspect
}

func (f *fakeJudgeEngine) Ping(ctx context.Context) error {
	_, f.pingHasADeadline = ctx.Deadline()
	return f.ping
}

func (f *fakeJudgeEngine) Info(context.Context) (engine.Info, error) {
	return engine.Info{LiveRestore: f.liveRestore}, f.infoErr
}

// judgeWith returns a judge of a container on a host without memory accounting.
func judgeWith(t *testing.T, docker judgeEngine, units fakeUnits) *judge {
	t.Helper()
	return &judge{
		engine: docker, container: &spec.Container{}, log: zap.NewNop(), codeTimeout: codeTimeout,
		unit: &unit{name: unitName, cgroup: unitCgroup, cgroups: systemd.Cgroups{Root: t.TempDir()}, manager: units},
	}
}

// The error names the reason that Docker and the kernel know.
func TestJudgeExplainsAnExit(t *testing.T) {
	killed := systemd.Memory{Path: unitCgroup + "/container", Hits: 1, Killed: 1}
	tests := []struct {
		name   string
		code   int
		docker fakeJudgeEngine
		signs  signs
		atEnd  *systemd.Memory
		want   string
		// outside says that the declaration is not to blame.
		outside bool
	}{
		{name: "by itself", code: 3, want: "container ended with exit code 3"},
		{name: "signal", code: 143, want: "container was killed by signal 15 (exit code 143)"},
		{name: "docker kill -s TERM", code: 143, signs: signs{signaled: true, died: true}, want: "container was killed by signal 15 (exit code 143)", outside: true},
		{name: "killed by someone", code: 137, want: "container was killed by signal 9 (exit code 137)", outside: true},
		{name: "above all signals", code: 200, want: "container ended with exit code 200"},
		{name: "removed", code: 137, docker: fakeJudgeEngine{inspect: engine.ErrNotFound}, want: "container was removed by docker rm (exit code 137)", outside: true},
		{name: "being removed", code: 137, docker: fakeJudgeEngine{container: engine.Container{Status: container.StateRemoving}}, want: "container was removed by docker rm (exit code 137)", outside: true},
		{
			name: "out of memory", code: 137, docker: fakeJudgeEngine{container: engine.Container{Memory: 64 << 20}}, atEnd: &killed,
			want: "container was killed: out of memory (exit code 137): it reached its own limit of 64MiB (raise mem_limit)",
		},
		{
			name: "a process out of memory", code: 1, docker: fakeJudgeEngine{container: engine.Container{Memory: 64 << 20}}, atEnd: &killed,
			want: "container ended with exit code 1, after one of its processes was killed (out of memory): it reached its own limit of 64MiB (raise mem_limit)",
		},
		{
			name: "docker kill after a process was out of memory", code: 137, docker: fakeJudgeEngine{container: engine.Container{Memory: 64 << 20}},
			atEnd: &killed, signs: signs{killed: true}, want: "container was killed by signal 9 (exit code 137)", outside: true,
		},
		{name: "Docker does not answer", code: 137, docker: fakeJudgeEngine{inspect: engine.ErrUnreachable}, atEnd: &killed, want: "container was killed by signal 9 (exit code 137)", outside: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := judgeWith(t, &test.docker, fakeUnits{})
			end := j.exited(t.Context(), &running{id: "app", signs: test.signs, memory: memoryUse{atEnd: test.atEnd}}, test.code)
			if end.code != test.code || end.err == nil || end.err.Error() != test.want {
				t.Errorf("exited(%d) = %d, %v, want %q", test.code, end.code, end.err, test.want)
			}
			if isFromOutside(end.err) != test.outside {
				t.Errorf("isFromOutside(%v) = %t, want %t", end.err, !test.outside, test.outside)
			}
			if test.docker.inspectedWith != "app" {
				t.Errorf("Docker was asked for %q, want app", test.docker.inspectedWith)
			}
		})
	}
}

// Exit code 0 is a success, and nobody is asked.
func TestJudgeOfASuccess(t *testing.T) {
	docker := &fakeJudgeEngine{}
	if end := judgeWith(t, docker, fakeUnits{}).exited(t.Context(), &running{id: "app"}, 0); end != (ending{}) {
		t.Errorf("exited(0) = %+v, want a success", end)
	}
	if docker.inspectedWith != "" {
		t.Error("Docker was asked why a container succeeded")
	}
}

// Docker counts as stopping if systemd says so, or if it does not answer.
func TestJudgeKnowsThatDockerLeft(t *testing.T) {
	since := time.Now()
	tests := []struct {
		name   string
		docker fakeJudgeEngine
		left   time.Time
		want   bool
	}{
		{"it answers", fakeJudgeEngine{}, time.Time{}, false},
		{"it stopped earlier", fakeJudgeEngine{}, since.Add(-time.Hour), false},
		{"it stops now", fakeJudgeEngine{}, since.Add(time.Second), true},
		{"it does not answer", fakeJudgeEngine{ping: engine.ErrUnreachable}, time.Time{}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := judgeWith(t, &test.docker, fakeUnits{dockerLeft: test.left})
			if got := j.dockerLeft(t.Context(), &running{listeningSince: since}); got != test.want {
				t.Errorf("dockerLeft() = %v, want %v", got, test.want)
			}
			if (test.docker.ping != nil) && !test.docker.pingHasADeadline {
				t.Error("the question to Docker has no deadline")
			}
		})
	}
}

// A Docker that does not answer has no live-restore that could help.
func TestJudgeAsksForLiveRestore(t *testing.T) {
	for _, test := range []struct {
		docker fakeJudgeEngine
		want   bool
	}{
		{fakeJudgeEngine{liveRestore: true}, true},
		{fakeJudgeEngine{}, false},
		{fakeJudgeEngine{liveRestore: true, infoErr: errors.New("gone")}, false},
	} {
		if got := judgeWith(t, &test.docker, fakeUnits{}).outlivesDocker(t.Context()); got != test.want {
			t.Errorf("outlivesDocker() of %+v = %v, want %v", test.docker, got, test.want)
		}
	}
}

// A container that Docker took along has failed, whatever its exit code.
func TestTakenAlongIsAFailure(t *testing.T) {
	for code, want := range map[int]int{0: 1, 7: 7} {
		if end := takenAlong(code); end.code != want || !isFromOutside(end.err) || !strings.Contains(end.err.Error(), "took the container along") {
			t.Errorf("takenAlong(%d) = %+v, want exit status %d and an error", code, end, want)
		}
	}
}
