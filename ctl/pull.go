package ctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

func (h Host) pullCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pull NAME...",
		Short: "pull the images of containers, and start nothing",
		Long: `Pulls the image that the reference of each container names now, with the login and
the platform of the container. It starts and replaces nothing: the next start or
dockhostctl update is quicker. An interrupted pull continues where it was when it is
called again.

Exit status: 0 when the host has all images, 1 when one cannot be pulled, 4 when the
agent cannot be reached.`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: h.completeContainers(-1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c := client.New(h.Socket)
			t := h.transcript(h.Out)
			return forEach(unique(names), func(_ int, name string) error {
				last, err := pull(cmd.Context(), c, name, t)
				if err != nil {
					t.end(name, "")
					if cmd.Context().Err() != nil {
						return &exitError{exitInterrupted, fmt.Errorf("%s: interrupted; what was pulled is kept for the next time", name)}
					}
					return err
				}
				t.end(name, pulled(name, last))
				return nil
			})
		},
	}
}

// pull has the agent pull the image of a container.
func pull(ctx context.Context, c client.Client, name string, t *transcript) (api.PullProgress, error) {
	last, err := c.Pull(ctx, name, func(p api.PullProgress) {
		t.progress(name, api.UpdateProgress{Phase: "pulling", Doing: p.Doing, Done: p.Done, Total: p.Total})
	})
	if refused := (*client.Refusal)(nil); err != nil && !errors.As(err, &refused) {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return last, err
}

// pulled says what a pull has brought.
func pulled(name string, last api.PullProgress) string {
	text := "the host has " + revisionText(last.Image)
	if last.From != nil && last.From.Digest == last.Image.Digest {
		return text + ", which the container runs"
	}
	return text + " (to run it: dockhostctl update " + name + ")"
}
