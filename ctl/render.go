package ctl

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/ctl/preview"
)

func renderCommand() *cobra.Command {
	var input inputFlags
	var asJSON bool
	options := preview.RenderOptions{Assignment: previewOptions()}
	cmd := &cobra.Command{
		Use:   "render {FILE | - | --seed DIR} [NAME...]",
		Short: "show the units and containers that user data describes",
		Long: `Shows what a host would run: for each container its unit, as systemctl cat shows
it, and the request to Docker that creates the container; and the requests for
networks and volumes that may be missing. Logins and the values of environment
variables are masked. FILE is as for validate. The command needs no root, no
Docker, no systemd and no agent.

Exit status: 0 on success, 1 when a host would not accept the user data (every
problem is printed), a file cannot be read, or the command line is wrong.`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if input.seed == "" && len(args) == 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return input.completeNames(cmd, args), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			in, names, err := input.openOne(cmd, args)
			if err != nil {
				return misuse(cmd, err)
			}
			options.Names = names
			rendering, err := renderInput(cmd, in, options)
			switch {
			case err != nil:
				return err
			case asJSON:
				return rendering.PrintJSON(cmd.OutOrStdout())
			}
			return rendering.Print(cmd.OutOrStdout())
		},
	}
	input.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (its fields: man dockhostctl)")
	cmd.Flags().IntVar(&options.SystemdVersion, "systemd-version", 257, "show the unit for a host with this `VERSION` of systemd")
	cmd.Flags().BoolVar(&options.ShowEnv, "show-env", false, "show environment variables and other masked values, but not logins")
	return cmd
}

// renderInput prints the findings to standard error, and returns what a host
// would run.
func renderInput(cmd *cobra.Command, in *preview.Input, options preview.RenderOptions) (*preview.Rendering, error) {
	rendering, findings, err := preview.Render(cmd.Context(), in, options)
	for _, finding := range findings {
		fmt.Fprintln(cmd.ErrOrStderr(), finding)
	}
	switch {
	case err != nil:
		return nil, misuse(cmd, err)
	case rendering == nil:
		return nil, &exitError{status: exitFailed}
	}
	return rendering, nil
}

// openOne reads the input of render, and returns the arguments that follow it.
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

// completeNames returns the names of the containers in the input.
func (f *inputFlags) completeNames(cmd *cobra.Command, args []string) []string {
	if len(args) > 0 && args[0] == "-" {
		return nil // standard input is the shell's terminal
	}
	in, _, err := f.openOne(cmd, args)
	if err != nil {
		return nil
	}
	return preview.Validate(cmd.Context(), previewOptions(), in).Inputs[0].Containers
}
