package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/ctl"
)

// gcCommand is `dockhostctl gc`.
func gcCommand() *cobra.Command {
	o := ctl.GCOptions{Socket: runDir.Socket()}
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "remove images and containers that nothing needs",
		Long: `Has the agent remove what nothing needs, as it does by itself from time to time,
or, with --dry-run, say what it would remove. Each image stays or goes for a
reason, which is told.

Exit status: 0 when it was done, 1 when something could not be removed or there
is no such image, 3 when the disk is still too full, 4 when the agent cannot be
reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out = cmd.OutOrStdout()
			code, err := ctl.GC(cmd.Context(), o)
			if err != nil {
				fmt.Fprint(cmd.ErrOrStderr(), ctl.Problems(err))
			}
			return exitWith(code)
		},
	}
	cmd.Flags().BoolVarP(&o.DryRun, "dry-run", "n", false, "say what would be done, and do nothing")
	cmd.Flags().StringVar(&o.Explain, "explain", "", "say why an image stays or goes, and do nothing: IMAGE is a name or an ID")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}
