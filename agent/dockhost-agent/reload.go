package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/dockhost/dockhost/client"
	"github.com/dockhost/dockhost/internal/pidfd"
)

// reload has the agent, which is the process pid, read the user data again, and returns
// when the agent has acted on it. ExecReload= needs a command that waits: kill returns
// before the agent has begun. It returns at once when the agent ends: systemd starts the
// next one only after that, and a request would wait for it in the socket meanwhile.
func reload(ctx context.Context, pid string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := onExit(pid, func() { cancel(errEnded) }); err != nil {
		return err
	}
	_, err := client.New(runDir.Socket()).UserData(ctx, true)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// errEnded means that the agent has ended, whatever ended it.
var errEnded = errors.New("the agent ended before it had read the user data again (see: journalctl -u dockhost)")

// patience is how long a reload may last where the kernel does not tell the end of a
// process (before Linux 5.3).
const patience = 30 * time.Second

// onExit calls ended when a process ends. The error is [errEnded] if there is no such
// process.
func onExit(pid string, ended func()) error {
	id, err := strconv.Atoi(pid)
	if err != nil {
		return fmt.Errorf("%q is no process: write the number of the agent's", pid)
	}
	process, err := pidfd.Open(id)
	switch {
	case errors.Is(err, os.ErrProcessDone):
		return errEnded
	case err != nil:
		time.AfterFunc(patience, ended)
		return nil //nolint:nilerr // the time alone must do
	}
	go func() {
		defer process.Close()
		<-process.Ended()
		ended()
	}()
	return nil
}
