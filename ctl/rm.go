package ctl

import (
	"context"
	"errors"
	"net/http"

	"github.com/spf13/cobra"
)

func (h Host) removeCommand() *cobra.Command {
	var force, volumes bool
	cmd := &cobra.Command{
		Use:   "rm NAME...",
		Short: "stop and remove containers that dockhostctl run started",
		Long: `Stops and removes containers that dockhostctl run started, and forgets them. To
remove a container that user data assigns, take it out of the user data.

The volumes that dockhost made for paths without a named volume stay, with their
data. --volumes removes them, also those of a container that was removed before.

Exit status: 0 when all are removed, 1 when one is not, 4 when the agent cannot
be reached.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c := newClient(h.Socket)
			var errs []error
			for _, name := range names {
				errs = append(errs, remove(cmd.Context(), c, name, force, volumes))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVarP(&volumes, "volumes", "v", false, "remove the volumes that dockhost made for the container, with their data")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "ignore containers that do not exist")
	return cmd
}

// remove has the agent stop, remove and forget a container. With force, a
// container that does not exist is no error. With volumes, the data of the container's
// own volumes is removed.
func remove(ctx context.Context, c client, name string, force, volumes bool) error {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	repeated, err := c.Remove(ctx, name, volumes)
	var refused *refusal
	if errors.As(err, &refused) && refused.Code == http.StatusNotFound && (force || repeated) {
		return nil
	}
	return err
}
