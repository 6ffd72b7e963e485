package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	agentclient "github.com/dockhost/dockhost/client"
)

// answerTimeout bounds the agent's answer: the agent asks systemd and Docker
// first.
const answerTimeout = 30 * time.Second

func (h Host) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [NAME...]",
		Short: "show container status",
		Long: `Shows the state of each assigned container, where the assignment comes from,
and all current problems. With names it shows these containers alone, with the
volumes that dockhost made for them.

Exit status: 0 when all is well, 3 when there is a problem, 4 when the agent
cannot be reached. In that case it shows what systemd and Docker know. With names,
only problems of these containers count; 1 means that one does not exist.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE:              func(cmd *cobra.Command, names []string) error { return h.status(cmd.Context(), names, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (its schema: /usr/share/dockhost/status.schema.json)")
	return cmd
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

// completeNames returns the names of the containers that are not named yet.
func (h Host) completeNames(ctx context.Context, named []string) []string {
	s, err := askStatus(ctx, h.Socket)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(containerNames(s.Containers), func(name string) bool { return slices.Contains(named, name) })
}

// status prints the status of the host, or of some of its containers, with or without
// the agent's help.
func (h Host) status(ctx context.Context, only []string, asJSON bool) error {
	s, err := askStatus(ctx, h.Socket)
	if errors.Is(err, agentclient.ErrNoAccess) {
		return err
	}
	if err != nil {
		cause := err
		if s, err = h.StatusWithoutAgent(ctx); err != nil {
			return &exitError{exitUnreachable, errors.Join(cause, err)}
		}
		s.Agent = api.Agent{Error: cause.Error()}
	}
	if len(only) > 0 {
		if err := pick(&s, only); err != nil {
			return err
		}
	}
	if asJSON {
		err = printJSON(h.Out, s)
	} else {
		err = printTable(h.Out, s, palette(h.Color), time.Now())
		if len(only) > 0 && err == nil {
			err = printVolumes(h.Out, s.Containers)
		}
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

// pick leaves only the named containers in the status, in the order of the names.
func pick(s *api.Status, only []string) error {
	picked := []api.Container{}
	var errs []error
	s.Well = true
	for _, name := range only {
		i := slices.IndexFunc(s.Containers, func(c api.Container) bool { return c.Name == name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("no container %q on this host (there is: %s)", name, cmp.Or(strings.Join(containerNames(s.Containers), ", "), "none")))
			continue
		}
		picked = append(picked, s.Containers[i])
		s.Well = s.Well && s.Containers[i].Well()
	}
	s.Containers = picked
	return errors.Join(errs...)
}

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
	return newClient(socket).Status(ctx)
}
