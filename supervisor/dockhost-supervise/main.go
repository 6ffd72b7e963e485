// Command dockhost-supervise runs one container in the systemd unit that calls
// it. One process of it stays resident for each container. So it is a program of
// its own, without cobra, Compose and the flags of the docker command, which
// would take time at each start and memory for each container.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor"
	"github.com/dockhost/dockhost/systemd"
)

// settingsTimeout bounds the wait for the settings of the unit before the first line
// of output.
const settingsTimeout = 2 * time.Second

func main() {
	os.Exit(run(os.Args))
}

// run returns the exit status: the container's.
func run(args []string) int {
	if len(args) != 2 {
		fmt.Fprintf(os.Stderr, "usage: %s NAME|/DECLARATION\n", args[0])
		return supervisor.ExitNotRun
	}
	// Before anything else: until then these signals end the process.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, supervisor.Signals(systemd.InputTerminal() != nil)...)
	// The program nearly always waits. A second processor would take memory and wake
	// up threads that look for work.
	runtime.GOMAXPROCS(1)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// Otherwise the supervisor would end when a reader of its output goes away.
	signal.Ignore(syscall.SIGPIPE)
	subject := &journal.Subject{}
	log := systemd.NewLogger("dockhost", os.Getenv("INVOCATION_ID"), os.Getenv("DOCKHOST_DEBUG") != "", os.Stderr).With(subject.Field())
	code, err := supervise(ctx, args[1], signals, log, subject)
	if err != nil {
		journal.Failed.Log(log, zap.Error(err))
	}
	return code
}

func supervise(ctx context.Context, what string, signals chan os.Signal, log *zap.Logger, subject *journal.Subject) (int, error) {
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
	units := &systemd.Manager{}
	defer units.Close()
	notify := &systemd.Paced{}
	defer notify.Flush()
	unit, cgroup, _ := systemd.Cgroups{}.OwnUnit() // "" outside a unit; Run reports the error
	subject.Set(func(a *journal.About) { a.Name, a.Image, a.Unit = declared.Name, declared.Image, unit })
	ownUnits := units
	if socket := systemd.UserSocket(cgroup); socket != "" {
		ownUnits = &systemd.Manager{Socket: socket}
		defer ownUnits.Close()
	}
	stdout, stderr := outputStreams(context.WithoutCancel(ctx), declared, unit, ownUnits.Socket)
	return supervisor.New(supervisor.Options{
		Container:   declared,
		Credentials: os.Getenv("CREDENTIALS_DIRECTORY"),
		Dir:         dir,
		Engine:      docker,
		Notify:      notify,
		Watchdog:    systemd.WatchdogInterval(),
		Signals:     signals,
		Sockets:     systemd.PassedSockets(os.Getenv),
		Units:       units,
		OwnUnits:    ownUnits,
		Program:     program(),
		Stdin:       systemd.InputStream(),
		Terminal:    systemd.InputTerminal(),
		Stdout:      stdout,
		Stderr:      stderr,
		InJournal:   systemd.InJournal(),
		Log:         log,
		Subject:     subject,
	}).Run(ctx)
}

// outputStreams returns the writers for the container's output. Only systemd knows the
// unit's settings for them. The connection does not stay open for that.
func outputStreams(ctx context.Context, declared *spec.Container, unit, userSocket string) (stdout, stderr io.Writer) {
	settings := func() (systemd.Unit, error) {
		ctx, cancel := context.WithTimeout(ctx, settingsTimeout)
		defer cancel()
		manager := &systemd.Manager{Socket: userSocket}
		defer manager.Close()
		return manager.Unit(ctx, unit)
	}
	owner := unit
	if userSocket != "" {
		owner = "" // the journal would take it for a unit of the system
	}
	return systemd.OutputStreams(cmp.Or(declared.Name, strings.TrimSuffix(unit, ".service")), owner, settings)
}

// program returns the path of dockhost: /usr/bin/dockhost for
// /usr/libexec/dockhost/dockhost-supervise, and likewise below /opt.
func program() string {
	own, err := os.Executable()
	if err != nil {
		return "/usr/bin/dockhost"
	}
	return filepath.Join(filepath.Dir(own), "../../bin/dockhost")
}

// declaration returns the container to run: an assigned one by its name, or the
// one in a file, which `dockhost run` passes as an open file descriptor.
func declaration(dir rundir.Dir, what string) (*spec.Container, error) {
	if !strings.HasPrefix(what, "/") {
		return dir.Container(what)
	}
	if fd, err := strconv.ParseUint(filepath.Base(what), 10, 31); err == nil {
		defer syscall.Close(int(fd))
	}
	return rundir.ReadDeclaration(what)
}
