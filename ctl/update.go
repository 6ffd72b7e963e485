package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

// updateFlags are the flags of dockhostctl update and rollback.
type updateFlags struct {
	check, force, noBlock bool
	timeout               time.Duration
}

func (h Host) updateCommand() *cobra.Command {
	var flags updateFlags
	cmd := &cobra.Command{
		Use:   "update [NAME...]",
		Short: "replace containers by newer images",
		Long: `Asks the registry for a newer image of each container, of all containers without
NAME, and replaces those that have one. It waits until each new container has
stayed well for its soak time, or until the old one runs again.

With --check it changes nothing, and prints a table of the containers that have a
newer image, or nothing.

Exit status: 0 when all are confirmed or nothing is newer, 1 when one fails
without a rollback or the agent refuses the request, 4 when the agent cannot be
reached, 5 when one was rolled back, 6 when one was refused or is quarantined, 7
when --timeout ends before the update does. Of several containers the worst
counts. With --check: 0 whether or not there is a newer image, 1 when a registry
does not answer, 4 as above.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE: func(cmd *cobra.Command, names []string) error {
			if flags.timeout < 0 {
				return errors.New("--timeout: a time cannot be negative")
			}
			return h.update(cmd.Context(), names, flags)
		},
	}
	cmd.Flags().BoolVar(&flags.check, "check", false, "change nothing; show which images are newer")
	cmd.Flags().BoolVar(&flags.force, "force", false, "also try what is quarantined, and do not wait for a window, a hold or a pause")
	flags.addWait(cmd)
	cmd.MarkFlagsMutuallyExclusive("check", "force")
	cmd.MarkFlagsMutuallyExclusive("check", "no-block")
	return cmd
}

// addWait adds the flags that say how long to wait for the outcome.
func (f *updateFlags) addWait(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "wait at most this `TIME` (5m), and leave the rest to the agent")
	cmd.Flags().BoolVar(&f.noBlock, "no-block", false, "do not wait for the outcome")
	cmd.MarkFlagsMutuallyExclusive("timeout", "no-block")
}

func (h Host) update(ctx context.Context, names []string, flags updateFlags) error {
	ctx, cancel := withTimeout(ctx, flags.timeout)
	defer cancel()
	c := client.New(h.Socket)
	if flags.check {
		return h.checkUpdates(ctx, c, names)
	}
	names, err := orAllRunning(ctx, c, names)
	if err != nil {
		return err
	}
	t := h.transcript(h.Out)
	return forEach(names, func(_ int, name string) error {
		r := rollout{name: name, request: api.UpdateRequest{Force: flags.force}}
		return r.run(ctx, c, t, flags.noBlock)
	})
}

// run has the agent begin the rollout, and follows it unless noBlock is set.
func (r rollout) run(ctx context.Context, c client.Client, t *transcript, noBlock bool) error {
	accepted, err := r.begin(ctx, c)
	if err != nil || noBlock {
		return err
	}
	last, err := r.finish(ctx, c, accepted, t)
	if err != nil {
		t.end(r.name, "")
		return err
	}
	t.end(r.name, success(last))
	return nil
}

// success says how a rollout ended well.
func success(last api.UpdateProgress) string {
	text := "confirmed"
	if last.Outcome == api.OutcomeUnchanged {
		text = "nothing is newer"
	}
	if last.To != nil {
		text += ": " + revisionText(last.To)
	}
	if last.Why != "" {
		text += ": " + last.Why
	}
	return text
}

// checkUpdates prints a table of the containers that have a newer image. An image that
// was refused is in the table, too, with the reason.
func (h Host) checkUpdates(ctx context.Context, c client.Client, names []string) error {
	s, err := awaitStatus(ctx, c)
	if err != nil {
		return err
	}
	if names = unique(names); len(names) == 0 {
		names = assigned(s)
	}
	t := h.transcript(io.Discard)
	checks := make([]api.UpdateProgress, len(names))
	err = forEach(names, func(i int, name string) error {
		r := rollout{name: name, request: api.UpdateRequest{Check: true}}
		accepted, err := r.begin(ctx, c)
		if err != nil {
			return err
		}
		if checks[i], err = r.finish(ctx, c, accepted, t); checks[i].Outcome == api.OutcomeRefused {
			err = nil
		}
		return err
	})
	return errors.Join(err, printChecks(h.Out, names, checks, s.Containers))
}

// printChecks prints the answers to checks of the named containers.
func printChecks(out io.Writer, names []string, checks []api.UpdateProgress, containers []api.Container) error {
	runs := map[string]api.Container{}
	for _, container := range containers {
		runs[container.Name] = container
	}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	header := "CONTAINER\tIMAGE\tRUNS\tNEWER\tNOTE"
	for i, p := range checks {
		if p.Outcome != api.OutcomeFound && p.Outcome != api.OutcomeRefused {
			continue
		}
		if header != "" {
			fmt.Fprintln(table, header)
			header = ""
		}
		from := runs[names[i]]
		to := api.Revision{Image: from.Image}
		if p.To != nil {
			to = *p.To
		}
		note := p.Why
		if p.Outcome == api.OutcomeRefused {
			note = "refused: " + p.Why
		}
		fmt.Fprintln(table, strings.Join([]string{names[i], orDash(to.Image), orDash(shorten(from.Digest)), orDash(shorten(to.Digest)), orDash(note)}, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// orAll returns the names without doubles, or without names those of all assigned
// containers.
func orAll(ctx context.Context, c client.Client, names []string) ([]string, error) {
	if len(names) > 0 {
		return unique(names), nil
	}
	s, err := awaitStatus(ctx, c)
	return assigned(s), err
}

// orAllRunning is orAll, but leaves out the containers that someone has stopped: an update
// does not start them.
func orAllRunning(ctx context.Context, c client.Client, names []string) ([]string, error) {
	if len(names) > 0 {
		return unique(names), nil
	}
	s, err := awaitStatus(ctx, c)
	s.Containers = slices.DeleteFunc(s.Containers, func(c api.Container) bool { return c.Stopped != nil })
	return assigned(s), err
}

func unique(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// assigned returns the names of the containers that are assigned to the host.
func assigned(s api.Status) []string {
	var names []string
	for _, container := range s.Containers {
		if container.Origin != "" {
			names = append(names, container.Name)
		}
	}
	return names
}

// awaitStatus returns the status of the host. It asks again while the agent restarts.
func awaitStatus(ctx context.Context, c client.Client) (s api.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return c.AwaitStatus(ctx)
}
