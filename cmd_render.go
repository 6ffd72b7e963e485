package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/ctl/preview"
)

func renderCommand() *cobra.Command {
	var flags inputFlags
	var asJSON bool
	o := preview.RenderOptions{Intake: previewOptions()}
	cmd := &cobra.Command{
		Use:   "render {FILE | - | --seed DIR} [NAME...]",
		Short: "show the units and the containers that user data comes to",
		Long: `Shows what a host would run: for each container its unit, as systemctl cat shows
it, and what Docker is asked to create. The values of environment variables are
masked, and so are logins. FILE is as for validate. It needs no root, no Docker,
no systemd and no agent.

Exit status: 0, 1 when a host would not take the user data, with every problem,
2 when the command line is wrong or a file cannot be read.`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if flags.seed == "" && len(args) == 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return flags.completeNames(cmd, args), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			in, names, err := flags.openOne(cmd, args)
			if err != nil {
				return misuse(cmd, err)
			}
			o.Names = names
			rendering, found, err := preview.Render(cmd.Context(), in, o)
			for _, finding := range found {
				fmt.Fprintln(cmd.ErrOrStderr(), finding)
			}
			switch {
			case err != nil:
				return misuse(cmd, err)
			case rendering == nil:
				return exitWith(1)
			case asJSON:
				return rendering.PrintJSON(cmd.OutOrStdout())
			}
			return rendering.Print(cmd.OutOrStdout())
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (its fields: man dockhostctl)")
	cmd.Flags().IntVar(&o.SystemdVersion, "systemd-version", 257, "show the unit for a host with this version of systemd")
	cmd.Flags().BoolVar(&o.ShowEnv, "show-env", false, "show the values of environment variables and what else is masked, but for logins")
	return cmd
}

// openOne reads the input of render, and returns what follows it.
func (f *inputFlags) openOne(cmd *cobra.Command, args []string) (*preview.Input, []string, error) {
	var files []string
	if f.seed == "" && len(args) > 0 {
		files, args = args[:1], args[1:]
	}
	inputs, err := f.open(cmd, files...)
	if err != nil {
		return nil, nil, err
	}
	return inputs[0], args, nil
}

// completeNames returns the containers of the input that a command line names.
func (f *inputFlags) completeNames(cmd *cobra.Command, args []string) []string {
	if len(args) > 0 && args[0] == "-" {
		return nil // a terminal that waits for the shell
	}
	in, _, err := f.openOne(cmd, args)
	if err != nil {
		return nil
	}
	return preview.Validate(cmd.Context(), previewOptions(), in).Inputs[0].Containers
}
