package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/ctl"
)

// removeCommand is `dockhostctl rm`.
func removeCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "rm NAME...",
		Short: "end containers of dockhostctl run for good",
		Long: `Stops containers that dockhostctl run declared, removes them, and forgets them.
Those that the user data assigns are ended by taking them out of it.

Exit status: 0 when all are gone, 1 when not, with the reason; 4 when the agent
cannot be reached.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			code, err := ctl.Remove(cmd.Context(), runDir.Socket(), force, names...)
			if err != nil {
				fmt.Fprint(cmd.ErrOrStderr(), ctl.Problems(err))
			}
			return exitWith(code)
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "a container that does not exist is no failure")
	return cmd
}
