package supervisor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
)

// running is a container that was started, and where the supervisor hears of it.
type running struct {
	id string
	// process is the first process. gone is closed when it has ended, and nil
	// once that was noticed.
	process *process
	gone    <-chan struct{}
	// overdue fires when Docker should have reported the end long ago; nil before
	// the process has ended.
	overdue <-chan time.Time
	// health is what Docker said of its health when it was started.
	health string
	// stopSignal is the signal that docker stop sends.
	stopSignal unix.Signal
	memory     memoryUse
	// listeningSince is when the supervisor began to listen to Docker.
	listeningSince time.Time
	output         *output
	exit           <-chan engine.Exit
	// events is nil while Docker is away.
	events <-chan engine.Event
	signs  signs
}

// signs are the events of Docker that explain an end.
type signs struct {
	// signaled says that someone sent a signal through Docker that may have been
	// the first of a stop, killed that the last signal was SIGKILL.
	signaled, killed bool
	// stopSent is when someone last sent the stop signal through Docker.
	stopSent time.Time
	// died says that Docker reported the end, stopped that someone stopped the
	// container through Docker, started that it runs again.
	died, stopped, started bool
}

// signal notes a signal that someone sent through Docker. docker stop sends the
// stop signal first; docker kill and docker rm send SIGKILL only.
func (s *signs) signal(sent, stopSignal unix.Signal) {
	s.killed = sent == unix.SIGKILL
	if sent == stopSignal {
		s.stopSent = time.Now()
	}
	s.signaled = s.signaled || !s.killed || stopSignal == unix.SIGKILL
}

// maybeStopped says whether someone may have stopped the container through
// Docker, which reports each signal that it sends before it reports the end.
func (s *signs) maybeStopped() bool { return s.signaled || !s.died }

// complete says whether no further event can explain the end. After a signal
// that may have been a stop's, Docker reports the stop after the end.
func (s *signs) complete() bool { return !s.maybeStopped() || s.died && s.stopped }

// ending is how a container's life under this supervisor ended. Functions of the
// event loop return nil while it continues.
type ending struct {
	// code is the exit status of the supervisor.
	code int
	// err is why the container failed; nil if it did not.
	err error
	// dockerLost says that Docker did not answer when the container ended.
	dockerLost bool
	// handedOver says that the container runs on as systemd's main process.
	handedOver bool
}

// notRun is the ending of a container that could not be run.
func notRun(err error) ending { return ending{code: ExitNotRun, err: err} }
