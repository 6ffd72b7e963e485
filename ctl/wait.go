package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
)

// The conditions of wait.
const (
	forReady   = "ready"
	forHealthy = "healthy"
	forExit    = "exit"
	forUpdate  = "update"
)

// waiting is what wait waits for.
type waiting struct {
	names   []string
	all     bool
	want    string
	timeout time.Duration
}

func (h Host) waitCommand() *cobra.Command {
	w := waiting{}
	cmd := &cobra.Command{
		Use:   "wait NAME... | --all",
		Short: "wait until containers are ready, healthy, ended or updated",
		Long: `Waits until each container meets the condition, and prints a line for each:

  ready    it is ready, or has finished (the default)
  healthy  its health check passes
  exit     it has ended, and is not started again
  update   no update is being made

A container that cannot meet it by itself, such as one that is stopped or has
failed, ends the wait.

Exit status: 0 when all meet the condition, 1 when a container does not exist, 3
when one has failed or is stopped, 4 when the agent cannot be reached, 5 when an
update was rolled back, 6 when it was refused, 7 when --timeout has ended.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE: func(cmd *cobra.Command, names []string) error {
			w.names = names
			if err := w.check(); err != nil {
				return err
			}
			return h.waitFor(cmd.Context(), w)
		},
	}
	cmd.Flags().StringVar(&w.want, "for", forReady, "the `CONDITION`: ready, healthy, exit or update")
	cmd.Flags().BoolVar(&w.all, "all", false, "wait for all assigned containers, and for the user data before")
	cmd.Flags().DurationVar(&w.timeout, "timeout", 0, "wait at most this `TIME` (5m); by default there is no limit")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{forReady, forHealthy, forExit, forUpdate}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// check returns what is wrong with the command line.
func (w waiting) check() error {
	switch w.want {
	case forReady, forHealthy, forExit, forUpdate:
	default:
		return fmt.Errorf("--for: cannot use %q: use ready, healthy, exit or update", w.want)
	}
	switch {
	case w.all == (len(w.names) > 0):
		return errors.New("name containers, or use --all")
	case w.timeout < 0:
		return errors.New("--timeout: a time cannot be negative")
	}
	return nil
}

// waitFor waits, and prints a line for each container that meets the condition.
func (h Host) waitFor(ctx context.Context, w waiting) error {
	ctx, cancel := withTimeout(ctx, w.timeout)
	defer cancel()
	var open []string
	printed := map[string]bool{}
	err := h.until(ctx, func() error {
		s, err := askStatus(ctx, h.Socket)
		if err != nil {
			return err
		}
		var outcome error
		var met []string
		open, met, outcome = w.look(&s)
		for _, line := range met {
			if !printed[line] {
				printed[line] = true
				fmt.Fprintln(h.Err, line)
			}
		}
		return outcome
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errTimeout):
		return &exitError{exitWaiting, fmt.Errorf("--timeout has ended: %s", strings.Join(open, "; "))}
	case interrupted(ctx):
		return &exitError{exitInterrupted, errors.New("no longer waiting")}
	}
	return err
}

// look returns what is still waited for, and a line for each container that meets the
// condition. The error is [errEnough] when all do, nil while one does not, and otherwise
// why one cannot.
func (w waiting) look(s *api.Status) (open, met []string, outcome error) {
	var containers []api.Container
	if w.all {
		if s.Source.Waiting != "" {
			return []string{s.Source.Waiting}, nil, nil
		}
		for _, c := range s.Containers {
			if c.Origin != api.OriginUnit {
				containers = append(containers, c)
			}
		}
	} else if err := pick(s, w.names); err != nil {
		return nil, nil, err
	} else {
		containers = s.Containers
	}
	var failed error
	for i := range containers {
		c := &containers[i]
		done, err := w.meets(c)
		switch {
		case err != nil:
			failed = worse(failed, err)
		case done:
			met = append(met, fmt.Sprintf("%s: %s", c.Name, c.State))
		default:
			open = append(open, describe(c))
		}
	}
	switch {
	case failed != nil && len(open) == 0:
		return nil, met, failed
	case len(open) == 0:
		return nil, met, errEnough
	}
	return open, met, nil
}

// worse joins two errors; the exit status is that of the first one.
func worse(first, second error) error {
	if first == nil {
		return second
	}
	return &exitError{exitStatus(first), errors.Join(first, second)}
}

// describe says in which state a container is.
func describe(c *api.Container) string {
	if c.Reason == "" {
		return fmt.Sprintf("%s: %s", c.Name, c.State)
	}
	return fmt.Sprintf("%s: %s: %s", c.Name, c.State, c.Reason)
}

// meets says whether a container meets the condition. The error says why it cannot do so
// by itself.
func (w waiting) meets(c *api.Container) (bool, error) {
	if w.want == forUpdate {
		return meetsUpdate(c)
	}
	ended := &exitError{exitNotWell, fmt.Errorf("%s%s", describe(c), advice(c.Cure))}
	switch c.State { //nolint:exhaustive // the others may still meet the condition
	case api.ContainerFinished:
		if w.want == forHealthy {
			return false, ended
		}
		return true, nil
	case api.ContainerStopped:
		if w.want == forExit {
			return true, nil
		}
		return false, ended
	case api.ContainerFailed:
		return false, ended
	case api.ContainerMasked:
		if !c.Ready {
			return false, ended
		}
	}
	switch w.want {
	case forReady:
		return c.State == api.ContainerReady, nil
	case forHealthy:
		if c.State == api.ContainerReady && c.Health == "" {
			return false, &exitError{exitFailed, fmt.Errorf("%s has no health check (use: --for ready)", c.Name)}
		}
		return c.Health == "healthy" && c.State == api.ContainerReady, nil
	}
	return false, nil
}

// meetsUpdate says whether no update of a container is being made.
func meetsUpdate(c *api.Container) (bool, error) {
	u := c.Update
	if u == nil {
		return false, &exitError{exitFailed, fmt.Errorf("%s has no updates", c.Name)}
	}
	why := ""
	if u.Why != "" {
		why = ": " + u.Why
	}
	ended := fmt.Errorf("%s: the update %s%s (see: dockhostctl history %s)", c.Name, strings.TrimPrefix(verb(u.State), "was "), why, c.Name)
	switch u.State {
	case "", api.OutcomeConfirmed, api.OutcomeUnchanged, api.OutcomeFound, api.OutcomeSuperseded:
		return c.Pending == nil, nil
	case api.OutcomeRolledBack:
		return false, &exitError{exitRolledBack, ended}
	case api.OutcomeRefused:
		return false, &exitError{exitRefused, ended}
	case api.OutcomeFailed:
		return false, &exitError{exitNotWell, ended}
	}
	return false, nil
}
