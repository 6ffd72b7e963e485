package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/backoff"
)

// The exit statuses of `dockhostctl run` and `dockhostctl rm`, beside
// exitUnreachable.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

// acceptTimeout bounds the agent's answer to a declaration: it may have to wait
// for another container's end.
const acceptTimeout = 6 * time.Minute

// RunOptions say what is to be run.
type RunOptions struct {
	// Socket is the agent's.
	Socket string
	Name   string
	// Declaration is the JSON of the container, as the agent takes it.
	Declaration []byte
	// NoBlock returns once the agent has accepted it.
	NoBlock bool
	// Out gets the unit's name, Progress what is being done; nil is nobody.
	Out, Progress io.Writer
}

// Run has the agent run a container from now on, and waits until it is ready or
// has failed once. It returns the exit status: 0 when it is ready, 1 when it was
// refused or has failed, 4 when the agent cannot be reached, 130 when ctx ended
// while it waited, which ends nothing else.
func Run(ctx context.Context, o RunOptions) (int, error) {
	c := newClient(o.Socket)
	accepted, err := declare(ctx, c, o)
	if err == nil && !o.NoBlock {
		err = await(ctx, c, o, accepted.At)
	}
	switch {
	case err == nil:
		_, err = fmt.Fprintln(o.Out, accepted.Unit)
		return exitWell, err
	case ctx.Err() != nil && accepted.Unit != "":
		return exitInterrupted, fmt.Errorf("no longer waiting for %s, which goes on (see: dockhostctl status)", o.Name)
	case ctx.Err() != nil:
		return exitInterrupted, fmt.Errorf("interrupted before the agent answered: it may have taken %s over (see: dockhostctl status)", o.Name)
	}
	return exitStatus(err), err
}

func declare(ctx context.Context, c client, o RunOptions) (api.Accepted, error) {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	var accepted api.Accepted
	_, err := c.change(ctx, http.MethodPut, containerPath(o.Name), o.Declaration, &accepted)
	return accepted, err
}

// await waits until the container is ready or has failed since it was accepted.
// An agent that goes away meanwhile is asked again.
func await(ctx context.Context, c client, o RunOptions, since time.Time) error {
	path := containerPath(o.Name) + "/progress?since=" + url.QueryEscape(since.Format(time.RFC3339Nano))
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 2 * time.Second}
	told := ""
	for try := 1; ; try++ {
		last, err := follow(ctx, c, path, func(p api.Progress) {
			try = 0
			if p.Doing != "" && p.Doing != told && o.Progress != nil {
				told = p.Doing
				fmt.Fprintf(o.Progress, "%s: %s\n", o.Name, told)
			}
		})
		switch {
		case last.Error != "":
			return fmt.Errorf("%s: %s", o.Name, last.Error)
		case last.Ready:
			return nil
		case !passes(err) || try >= maxTries:
			return err
		}
		if err := tries.Wait(ctx); err != nil {
			return err
		}
	}
}

// follow tells each line of progress and returns the last. The error is
// [errUnreachable] when the lines end before it.
func follow(ctx context.Context, c client, path string, tell func(api.Progress)) (api.Progress, error) {
	lines, err := c.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return api.Progress{}, err
	}
	defer lines.Close()
	decoder := json.NewDecoder(lines)
	for {
		var p api.Progress
		if err := decoder.Decode(&p); err != nil {
			return p, fmt.Errorf("%w any more: %w", errUnreachable, err)
		}
		if p.Last() {
			return p, nil
		}
		tell(p)
	}
}

// Remove has the agent end containers that Run declared, and forget them. With
// force, one that is not there is no failure. It returns the exit status: 0 when
// all are gone, 1 when not, 4 when the agent cannot be reached.
func Remove(ctx context.Context, socket string, force bool, names ...string) (int, error) {
	c := newClient(socket)
	var errs []error
	for _, name := range names {
		if err := remove(ctx, c, name, force); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return exitStatus(err), err
	}
	return exitWell, nil
}

func remove(ctx context.Context, c client, name string, force bool) error {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	again, err := c.change(ctx, http.MethodDelete, containerPath(name), nil, &struct{}{})
	var no *refusal
	if errors.As(err, &no) && no.code == http.StatusNotFound && (force || again) {
		return nil
	}
	return err
}

func containerPath(name string) string { return "/v1/containers/" + url.PathEscape(name) }

// Problems is an error as people read it: each line of it behind the program's
// name.
func Problems(err error) string {
	var b strings.Builder
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(&b, "dockhostctl: %s\n", line)
	}
	return b.String()
}
