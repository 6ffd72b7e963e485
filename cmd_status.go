package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/ctl"
	"github.com/dockhost/dockhost/systemd"
)

func statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "say how each assigned container fares",
		Long: `Says how each assigned container fares, where the assignment comes from, and
what is wrong. Exit status: 0 when all is well, 3 when something is not, 4 when
the agent cannot be reached; then what systemd and Docker know is shown.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			code, err := ctl.Status(cmd.Context(), ctl.StatusOptions{
				Socket:       runDir.Socket(),
				WithoutAgent: statusWithoutAgent,
				JSON:         asJSON,
				Color:        term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "",
				Out:          cmd.OutOrStdout(),
			})
			if err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "dockhostctl: %v\n", err)
			}
			return exitWith(code)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (its schema: /usr/share/dockhost/status.schema.json)")
	return cmd
}

// statusWithoutAgent is what systemd and Docker know.
func statusWithoutAgent(ctx context.Context) (api.Status, error) {
	docker, err := newEngine()
	if err != nil {
		return api.Status{}, err
	}
	defer docker.Close()
	units := &systemd.Manager{}
	defer units.Close()
	return status.WithoutAgent(ctx, newGatherer(docker, units)), nil
}
