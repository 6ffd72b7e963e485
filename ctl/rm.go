package ctl

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

func (h Host) removeCommand() *cobra.Command {
	var force, volumes bool
	cmd := &cobra.Command{
		Use:   "rm {NAME | FILE}...",
		Short: "stop and remove containers that dockhostctl run started",
		Long: `Stops and removes containers that dockhostctl run started, and forgets them. A name
that ends in .yaml or .yml is a file in /etc/dockhost/containers: it is removed, and the
agent stops its containers. To remove a container that user data assigns, take it out of
the user data.

The volumes that dockhost made for paths without a named volume stay, with their
data. --volumes removes them, also those of a container that was removed before.

Exit status: 0 when all are removed, 1 when one is not, 4 when the agent cannot
be reached.`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: h.completeRemovable,
		RunE: func(cmd *cobra.Command, names []string) error {
			c := client.New(h.Socket)
			var errs []error
			for _, name := range names {
				if isFileName(name) {
					errs = append(errs, h.removeFile(name, force))
					continue
				}
				errs = append(errs, remove(cmd.Context(), c, name, force, volumes))
			}
			return worst(errs)
		},
	}
	cmd.Flags().BoolVarP(&volumes, "volumes", "v", false, "remove the volumes that dockhost made for the container, with their data")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "ignore containers that do not exist")
	return cmd
}

// completeRemovable completes the containers of dockhostctl run, and the files of
// /etc/dockhost/containers.
func (h Host) completeRemovable(cmd *cobra.Command, named []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if s, err := askStatus(cmd.Context(), h.Socket); err == nil {
		for _, c := range s.Containers {
			if c.Origin == api.OriginLocal {
				names = append(names, c.Name)
			}
		}
	}
	entries, _ := os.ReadDir(h.ContainersDir)
	for _, entry := range entries {
		if isFileName(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(named, name) })
	return names, cobra.ShellCompDirectiveNoFileComp
}

// remove has the agent stop, remove and forget a container. With force, a
// container that does not exist is no error. With volumes, the data of the container's
// own volumes is removed.
func remove(ctx context.Context, c client.Client, name string, force, volumes bool) error {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	repeated, err := c.Remove(ctx, name, volumes)
	var refused *client.Refusal
	if errors.As(err, &refused) && refused.Code == http.StatusNotFound && (force || repeated) {
		return nil
	}
	return err
}
