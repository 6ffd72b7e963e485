package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/ctl"
)

// userDataCommand is `dockhostctl userdata`.
func userDataCommand() *cobra.Command {
	o := ctl.UserDataOptions{Socket: runDir.Socket()}
	cmd := &cobra.Command{
		Use:   "userdata",
		Short: "say what user data was found, and what was made of it",
		Long: `Says by which datasource the instance's user data was found, how, and when, what
its parts are, and which containers it assigns. What stands in it is shown with
--raw alone, and to root, for it holds secrets.

Exit status: 0 when it is well, 3 when something is wrong with it or it is still
being waited for, 1 when it may not be shown, 4 when the agent cannot be reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out = cmd.OutOrStdout()
			code, err := ctl.UserData(cmd.Context(), o)
			if err != nil {
				fmt.Fprint(cmd.ErrOrStderr(), ctl.Problems(err))
			}
			return exitWith(code)
		},
	}
	cmd.Flags().BoolVar(&o.Fetch, "fetch", false, "ask for the user data anew, as systemctl reload dockhost does")
	cmd.Flags().BoolVar(&o.Raw, "raw", false, "print the user data as it was found (root only)")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("raw", "json")
	return cmd
}
