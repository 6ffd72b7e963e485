package ctl

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/assignment/policy"
	"github.com/dockhost/dockhost/ctl/preview"
)

func validateCommand() *cobra.Command {
	var input inputFlags
	var policyFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate {FILE... | - | --seed DIR}",
		Short: "check user data and list every problem",
		Long: `Checks user data and prints each problem on a line of its own,
FILE:LINE:COLUMN PATH: PROBLEM (what to do). FILE is user data in any form that
dockhost reads, or a Compose file as in /etc/dockhost/containers. The command
needs no root, no Docker, no systemd and no agent.

Exit status: 0 when a host would accept all of it, 1 when it would not, a file
cannot be read, or the command line is wrong.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			inputs, err := input.open(cmd, files...)
			if err != nil {
				return misuse(cmd, err)
			}
			options, err := validateOptions(policyFile)
			if err != nil {
				return misuse(cmd, err)
			}
			return printReport(cmd, preview.Validate(cmd.Context(), options, inputs...), asJSON)
		},
	}
	input.add(cmd)
	cmd.Flags().StringVar(&policyFile, "policy", "", "apply the policy in `FILE`, as a host applies /etc/dockhost/policy.yaml")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (its fields: man dockhostctl)")
	return cmd
}

// validateOptions adds the policy in a file, if there is one, to the options.
func validateOptions(policyFile string) (assignment.Options, error) {
	options := previewOptions()
	if policyFile == "" {
		return options, nil
	}
	text, err := os.ReadFile(policyFile)
	if err == nil {
		options.Policy, err = policy.Parse(policyFile, text)
	}
	return options, err
}

func printReport(cmd *cobra.Command, report preview.Report, asJSON bool) error {
	var err error
	if asJSON {
		err = report.PrintJSON(cmd.OutOrStdout())
	} else {
		err = report.Print(cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	if err == nil && !report.Well {
		err = &exitError{status: exitFailed}
	}
	return err
}
