package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

// answerTimeout bounds the agent's answer: the agent asks systemd and Docker
// first.
const answerTimeout = 30 * time.Second

// statusFlags are the flags of status.
type statusFlags struct {
	asJSON, watch, wait bool
	output              string
	timeout             time.Duration
}

func (h Host) statusCommand() *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:     "status [NAME...]",
		Aliases: []string{"ps", "list"},
		Short:   "show container status",
		Long: `Shows what this host runs: a line that says whether all is well, a table of the
containers, and below it every problem with its cure. With names it shows all
about these containers alone: the last health check, what their cgroups use, past
updates, the last lines of output.

Exit status: 0 when all is well, 3 when there is a problem, 4 when the agent
cannot be reached. In that case it shows what systemd and Docker know. With names,
only problems of these containers count; 1 means that one does not exist. With
--wait, 7 means that --timeout has ended.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE:              func(cmd *cobra.Command, names []string) error { return h.statusOrWatch(cmd.Context(), names, f) },
	}
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON (its schema: /usr/share/dockhost/status.schema.json)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "print a table with more columns and without limit of width (wide), or json")
	cmd.Flags().BoolVar(&f.watch, "watch", false, "show the status again whenever it changes")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "first wait until the containers are ready, or cannot become so by themselves")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "with --wait: wait at most this `TIME` (5m)")
	cmd.MarkFlagsMutuallyExclusive("json", "output")
	cmd.MarkFlagsMutuallyExclusive("watch", "wait")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"wide", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// statusOrWatch is the command status with its flags.
func (h Host) statusOrWatch(ctx context.Context, names []string, f statusFlags) error {
	switch f.output {
	case "", "wide":
	case "json":
		f.asJSON = true
	default:
		return fmt.Errorf("--output: cannot use %q: use wide or json", f.output)
	}
	switch {
	case f.timeout < 0:
		return errors.New("--timeout: a time cannot be negative")
	case f.timeout > 0 && !f.wait:
		return errors.New("--timeout has an effect with --wait alone")
	case f.watch:
		return h.watchStatus(ctx, names, f)
	}
	var waited error
	if f.wait {
		if waited = h.waitFor(ctx, waiting{names: names, all: len(names) == 0, want: forReady, timeout: f.timeout}); exitStatus(waited) == exitFailed {
			return waited
		}
	}
	err := h.status(ctx, h.Out, names, f)
	if status := exitStatus(waited); status == exitWaiting || status == exitInterrupted {
		return waited // what is shown may be well by now
	}
	return err
}

// completeContainers returns a function that completes the names of up to limit
// containers; -1 is no limit.
func (h Host) completeContainers(limit int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, named []string, _ string) ([]string, cobra.ShellCompDirective) {
		if limit >= 0 && len(named) >= limit {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return h.completeNames(cmd.Context(), named), cobra.ShellCompDirectiveNoFileComp
	}
}

// completionTime bounds the wait for names of someone who has pressed Tab.
const completionTime = 3 * time.Second

// completeNames returns the names of the containers that are not named yet.
func (h Host) completeNames(ctx context.Context, named []string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	s, err := h.gatherStatus(ctx)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(containerNames(s.Containers), func(name string) bool { return slices.Contains(named, name) })
}

// status prints the status of the host, or of some of its containers, with or without
// the agent's help.
func (h Host) status(ctx context.Context, out io.Writer, only []string, f statusFlags) error {
	s, err := h.gatherStatus(ctx)
	if err != nil {
		return err
	}
	if len(only) > 0 {
		if err := pick(&s, only); err != nil {
			return err
		}
		h.addDetails(ctx, &s)
	}
	v := view{colors: palette(h.Color), width: h.width(), wide: f.output == "wide", now: time.Now()}
	if v.wide {
		v.width = 0
	}
	switch {
	case f.asJSON:
		err = printJSON(out, s)
	case len(only) > 0 && !v.wide:
		err = printWhole(out, s, v)
	default:
		err = printTable(out, s, v)
	}
	switch {
	case err != nil:
		return &exitError{exitNotWell, fmt.Errorf("print the status: %w", err)}
	case !s.Agent.Reachable:
		return &exitError{status: exitUnreachable}
	case !s.Well:
		return &exitError{status: exitNotWell}
	}
	return nil
}

// gatherStatus returns the status of the host, by the agent or without it.
func (h Host) gatherStatus(ctx context.Context) (api.Status, error) {
	s, err := askStatus(ctx, h.Socket)
	if errors.Is(err, client.ErrNoAccess) {
		return s, err
	}
	if err != nil {
		cause := err
		if s, err = h.StatusWithoutAgent(ctx); err != nil {
			return s, &exitError{exitUnreachable, errors.Join(cause, err)}
		}
		s.Agent, s.Well = api.Agent{Error: cause.Error()}, false
	}
	judge(&s)
	return s, nil
}

// judge sets the state of containers that an older agent has sent.
func judge(s *api.Status) {
	for i := range s.Containers {
		if s.Containers[i].State == "" {
			s.Containers[i].Judge()
		}
	}
}

// pick leaves only the named containers in the status, in the order of the names.
func pick(s *api.Status, only []string) error {
	picked := []api.Container{}
	var errs []error
	s.Well = true
	for _, name := range only {
		i := find(s.Containers, name)
		if i < 0 {
			errs = append(errs, fmt.Errorf("no container %q on this host (there is: %s)", name, orNone(containerNames(s.Containers))))
			continue
		}
		picked = append(picked, s.Containers[i])
		s.Well = s.Well && s.Containers[i].Well()
	}
	s.Containers = picked
	return errors.Join(errs...)
}

// find returns the index of a container by its name or its unit, with or without
// ".service"; -1 if there is no such container.
func find(containers []api.Container, name string) int {
	if i := slices.IndexFunc(containers, func(c api.Container) bool { return c.Name == name }); i >= 0 {
		return i
	}
	return slices.IndexFunc(containers, func(c api.Container) bool { return c.Unit == name || c.Unit == name+".service" })
}

// orNone lists names; without any it returns "none".
func orNone(names []string) string { return cmp.Or(strings.Join(names, ", "), "none") }

func containerNames(containers []api.Container) []string {
	var names []string
	for i := range containers {
		names = append(names, containers[i].Name)
	}
	return names
}

func askStatus(ctx context.Context, socket string) (api.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	s, err := client.New(socket).Status(ctx)
	if err != nil {
		return s, err
	}
	judge(&s)
	return s, nil
}
