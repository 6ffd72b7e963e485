package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/request"
	"github.com/dockhost/dockhost/systemd"
)

const (
	unitName   = "dockhost@app.service"
	unitCgroup = "/system.slice/system-dockhost.slice/dockhost@app.service"
	// patience is how long a test waits for something that should happen soon.
	patience = 20 * time.Second
)

// rig is a host with a fake Docker Engine and one assigned container.
type rig struct {
	hostFiles
	streams
	limits

	t      *testing.T
	server *enginetest.Server
	spec   *spec.Container
	notify *fakeNotifier
	units  fakeUnits
	// process is what the Engine reports as the containers' first process.
	process *os.Process
	// dockhost is the path of the program that handles GPUs.
	dockhost string
}

// hostFiles are the files of a host.
type hostFiles struct {
	root string
	// dir is the run directory, below root.
	dir       rundir.Dir
	configDir string
}

// streams go into and out of a supervisor.
type streams struct {
	stdin          io.Reader
	stdout, stderr *written
	log            *zap.Logger
	signals        chan os.Signal
}

// limits are the supervisor's own where they are 0.
type limits struct {
	codeTimeout, gpuCheckTimeout, watchdog time.Duration
}

// newRig returns a host with the image app:1 for the container app. The Engine
// reports a process that sleeps as the container's first one.
func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		t: t, server: enginetest.NewServer(t), notify: &fakeNotifier{},
		hostFiles: hostFiles{root: t.TempDir(), configDir: t.TempDir()},
		streams:   streams{stdout: &written{}, stderr: &written{}, log: zap.NewNop(), signals: make(chan os.Signal, 8)},
		spec: &spec.Container{
			Name: "app", Image: "app:1", PullPolicy: spec.PullMissing, PullStallTimeout: time.Minute, Notify: spec.NotifyStarted,
			Config: &container.Config{Image: "app:1"}, HostConfig: &container.HostConfig{},
		},
	}
	r.runs("echo; exec sleep infinity")
	r.dir = rundir.Dir(filepath.Join(r.root, "run"))
	r.write("sys/fs/cgroup/cgroup.controllers", "")
	r.write("proc/self/cgroup", "0::"+unitCgroup+"\n")
	r.write(fmt.Sprintf("proc/%d/stat", os.Getpid()), procStat(os.Getpid(), 500))
	r.write("proc/sys/kernel/random/boot_id", "b007\n")
	r.server.AddRuntime(spec.RuntimeName, "/usr/libexec/dockhost/dockhost-runtime")
	return r
}

// runs starts a shell script as the containers' process, and waits until it has
// printed something.
func (r *rig) runs(script string) {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), "sh", "-c", script)
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = command.Wait() })
	r.process = command.Process
	r.bornIn(unitCgroup + "/" + containerLeaf)
	r.server.AddImage("app:1", r.app())
}

// app returns the image of the test application.
func (r *rig) app() enginetest.Image {
	image := enginetest.App()
	image.Pid = r.process.Pid
	return image
}

// program sets the program of the image app:1.
func (r *rig) program(run func(ctx context.Context, p *enginetest.Process) int) {
	image := r.app()
	image.Run = run
	r.server.AddImage("app:1", image)
}

// command sets the command line of the container.
func (r *rig) command(args ...string) { r.spec.Config.Cmd = args }

// bornIn sets the cgroup of the containers' process.
func (r *rig) bornIn(cgroup string) {
	r.t.Helper()
	r.write(fmt.Sprintf("proc/%d/cgroup", r.process.Pid), "0::"+cgroup+"\n")
}

func (r *rig) write(path, text string) string {
	r.t.Helper()
	path = filepath.Join(r.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// engine returns a client of the fake.
func (r *rig) engine() *engine.Client {
	r.t.Helper()
	client, err := engine.New(engine.Options{Host: r.server.Address(), Logins: []engine.LoginFile{engine.ConfigFile(r.configDir)}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = client.Close() })
	return client
}

// life is one supervisor from its start to its end.
type life struct {
	*rig
	supervisor *Supervisor
	// stop does what systemd's SIGTERM does.
	stop context.CancelFunc
	done chan struct{}
	code int
	err  error
}

// start starts a supervisor. The test waits for its end.
func (r *rig) start() *life {
	r.t.Helper()
	l := r.prepare()
	l.run()
	return l
}

// prepare returns a supervisor that was not started.
func (r *rig) prepare() *life {
	r.t.Helper()
	s := New(Options{
		Container: r.spec, Dir: r.dir, Engine: r.engine(), Cgroups: systemd.Cgroups{Root: r.root},
		Notify: r.notify, Watchdog: r.watchdog, Program: r.dockhost, Signals: r.signals, Units: r.units, OwnUnits: r.units, Stdin: r.stdin, Stdout: r.stdout, Stderr: r.stderr, Log: r.log,
	})
	if r.codeTimeout != 0 {
		s.follower.judge.codeTimeout = r.codeTimeout
	}
	if r.gpuCheckTimeout != 0 {
		s.follower.attendants.gpus.timeout = r.gpuCheckTimeout
	}
	return &life{rig: r, supervisor: s, done: make(chan struct{})}
}

// run starts the supervisor.
func (l *life) run() {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	l.stop = cancel
	go func() {
		defer close(l.done)
		l.code, l.err = l.supervisor.Run(ctx)
	}()
	l.t.Cleanup(func() {
		cancel()
		l.server.FailPulls("the test is over")
		<-l.done
	})
}

// surroundings returns what a readiness needs, outside a supervisor.
func (r *rig) surroundings() surroundings {
	return surroundings{container: r.spec, engine: r.engine(), watchdog: &watchdog{}, log: r.log}
}

// ends waits like exits, and checks that nothing of the container is left.
func (l *life) ends(code int, problem string) {
	l.t.Helper()
	l.exits(code, problem)
	l.leftNothing()
}

// exits waits for the end and checks the exit status and the error, also in the
// state of an assigned container. problem is a part of the error; "" means that
// there must be no error.
func (l *life) exits(code int, problem string) {
	l.t.Helper()
	select {
	case <-l.done:
	case <-time.After(patience):
		l.t.Fatalf("Run() did not return within %s; systemd was sent:\n%s", patience, l.notify)
	}
	if l.code != code || (l.err == nil) != (problem == "") || (l.err != nil && !strings.Contains(l.err.Error(), problem)) {
		l.t.Errorf("Run() = %d, %v, want %d, %q; systemd was sent:\n%s", l.code, l.err, code, problem, l.notify)
	}
	if l.spec.Run != nil {
		return
	}
	if state := l.state(); state.Phase != string(phaseEnded) || state.Ready {
		l.t.Errorf("state = %+v, want ended", state)
	}
	if problem != "" {
		if last := l.state().LastError; last == nil || last.Message != l.err.Error() {
			l.t.Errorf("last error = %+v, want %v", last, l.err)
		}
	}
}

func (l *life) leftNothing() {
	l.t.Helper()
	found, err := l.engine().ListByLabel(context.WithoutCancel(l.t.Context()), request.LabelUnit, unitName)
	if err != nil || len(found) != 0 {
		l.t.Errorf("containers left: %+v, %v, want none", found, err)
	}
	if placed, _ := os.ReadDir(l.dir.RuntimeDir()); len(placed) != 0 {
		l.t.Errorf("placements left: %v, want none", placed)
	}
}

// ready waits until systemd was sent READY=1.
func (l *life) ready() {
	l.t.Helper()
	l.until("READY=1", func() bool { return l.notify.count("READY") > 0 })
}

// until waits until a condition holds, while the supervisor runs.
func (l *life) until(what string, holds func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		select {
		case <-l.done:
			if !holds() {
				l.t.Fatalf("%s: never; Run() = %d, %v; systemd was sent:\n%s", what, l.code, l.err, l.notify)
			}
			return
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%s: not within %s; systemd was sent:\n%s", what, patience, l.notify)
		}
	}
}

// state returns the state in the run directory; an empty one before the supervisor
// has written it.
func (r *rig) state() rundir.State {
	r.t.Helper()
	state, err := r.dir.State("app")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.t.Fatal(err)
	}
	return state
}

// fakeNotifier remembers all that systemd was sent, in order.
type fakeNotifier struct {
	mu    sync.Mutex
	lines []string
}

func (f *fakeNotifier) Ready(status string) { f.add("READY " + status) }

func (f *fakeNotifier) HandOver(pid int, status string) {
	f.add(fmt.Sprintf("HANDOVER %d %s", pid, status))
}

func (f *fakeNotifier) Status(status string) { f.add("STATUS " + status) }

func (f *fakeNotifier) Stopping(status string) { f.add("STOPPING " + status) }

func (f *fakeNotifier) Reloading(status string) { f.add("RELOADING " + status) }

func (f *fakeNotifier) ExtendTimeout(d time.Duration) { f.add("EXTEND " + d.String()) }

func (f *fakeNotifier) Watchdog() { f.add("WATCHDOG") }

func (f *fakeNotifier) Pass(assignments ...string) { f.add("PASS " + strings.Join(assignments, " ")) }

func (f *fakeNotifier) add(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, line)
}

func (f *fakeNotifier) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines)
}

// count returns how many lines have a prefix.
func (f *fakeNotifier) count(prefix string) int {
	n := 0
	for _, line := range f.all() {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// without returns the lines without those of a kind.
func (f *fakeNotifier) without(kind string) []string {
	return slices.DeleteFunc(f.all(), func(line string) bool { return strings.HasPrefix(line, kind) })
}

func (f *fakeNotifier) String() string { return strings.Join(f.all(), "\n") }

// fakeUnits knows the container's unit and Docker's.
type fakeUnits struct {
	timeoutStart, timeoutStop time.Duration
	// active is another unit that runs.
	active string
	// killMode is the unit's KillMode=. The unit has no Delegate=.
	killMode string
	// devicePolicy is the unit's DevicePolicy=.
	devicePolicy string
	// pidOff is not 0 where the unit has another main process.
	pidOff int
	// serviceType is the unit's Type=, and activeState and subState its state.
	serviceType, activeState, subState string
	// dockerLeft is when docker.service began to stop; zero when it never did.
	dockerLeft time.Time
}

func (f fakeUnits) Unit(_ context.Context, name string) (systemd.Unit, error) {
	switch {
	case name == dockerUnit:
		return systemd.Unit{Name: name, ActiveState: "active", LeftActive: f.dockerLeft}, nil
	case name == f.active:
		return systemd.Unit{Name: name, ActiveState: "active"}, nil
	case name != unitName:
		return systemd.Unit{}, systemd.ErrNoUnit
	}
	return systemd.Unit{Name: name, MainPID: os.Getpid() + f.pidOff, Type: f.serviceType, ActiveState: f.activeState, SubState: f.subState, KillMode: f.killMode, DevicePolicy: f.devicePolicy, TimeoutStart: f.timeoutStart, TimeoutStop: f.timeoutStop}, nil
}

// written is a stream that can be read while it is written.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(text)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
