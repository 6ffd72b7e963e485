// Command dockhost-supervise runs one container within the systemd unit that
// it is called from. It is what stays resident beside each container, so it is
// a program of its own: without cobra, Compose and the docker command's flags,
// each of which would cost every start time and every container memory.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor"
	"github.com/dockhost/dockhost/systemd"
)

func main() {
	os.Exit(run(os.Args))
}

// run is main with an exit status: the container's.
func run(args []string) int {
	if len(args) != 2 {
		fmt.Fprintf(os.Stderr, "usage: %s NAME|/DECLARATION\n", args[0])
		return supervisor.ExitNotRun
	}
	// Before anything else: until then they would end the process.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, supervisor.Signals(nil)...)
	// It waits nearly always: a second processor would cost memory, and wakeups
	// of threads that look for work, and gain nothing.
	runtime.GOMAXPROCS(1)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// Or a reader of the output that goes away would end the supervisor.
	signal.Ignore(syscall.SIGPIPE)
	log := systemd.NewLogger("dockhost", os.Getenv("DOCKHOST_DEBUG") != "", os.Stderr)
	code, err := supervise(ctx, args[1], signals, log)
	if err != nil {
		log.Error("container failed", zap.Error(err))
	}
	return code
}

func supervise(ctx context.Context, what string, signals chan os.Signal, log *zap.Logger) (int, error) {
	const dir = rundir.Dir(rundir.Path)
	docker, err := engine.New(engine.FromEnvironment(os.Getenv, dir.LoginsDir()))
	if err != nil {
		return supervisor.ExitNotRun, err
	}
	defer docker.Close()
	declared, err := declaration(dir, what)
	if err != nil {
		return supervisor.ExitNotRun, err
	}
	signal.Notify(signals, supervisor.Signals(declared)...)
	units := &systemd.Manager{}
	defer units.Close()
	notify := &systemd.Paced{}
	defer notify.Flush()
	unit, _, _ := systemd.Cgroups{}.OwnUnit() // none outside systemd; Run asks again, and says why
	stdout, stderr := systemd.OutputStreams(cmp.Or(declared.Name, strings.TrimSuffix(unit, ".service")), unit)
	return supervisor.New(supervisor.Options{
		Container: declared,
		Dir:       dir,
		Engine:    docker,
		Notify:    notify,
		Watchdog:  systemd.WatchdogInterval(),
		Signals:   signals,
		Units:     units,
		Program:   program(),
		Stdout:    stdout,
		Stderr:    stderr,
		Log:       log,
	}).Run(ctx)
}

// program is the path of dockhost: /usr/bin/dockhost beside
// /usr/libexec/dockhost/dockhost-supervise, and likewise below /opt.
func program() string {
	own, err := os.Executable()
	if err != nil {
		return "/usr/bin/dockhost"
	}
	return filepath.Join(filepath.Dir(own), "../../bin/dockhost")
}

// declaration is what to run: an assigned container by its name, or whatever
// is declared in a file, which `dockhost run` leaves open for this program.
func declaration(dir rundir.Dir, what string) (*spec.Container, error) {
	if !strings.HasPrefix(what, "/") {
		return dir.Container(what)
	}
	if fd, err := strconv.ParseUint(filepath.Base(what), 10, 31); err == nil {
		defer syscall.Close(int(fd))
	}
	return rundir.ReadDeclaration(what)
}
