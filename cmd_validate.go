package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/assignment/policy"
	"github.com/dockhost/dockhost/ctl/preview"
	"github.com/dockhost/dockhost/spec/gce"
)

// exitMisuse is the exit status of validate and render for a command line that
// is wrong, 1 being that of user data.
const exitMisuse = 2

// inputFlags say what validate and render read.
type inputFlags struct {
	seed    string
	compose bool
}

func (f *inputFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.seed, "seed", "", "read DIR/user-data and DIR/meta-data, as cloud-init's NoCloud does")
	cmd.Flags().BoolVar(&f.compose, "compose", false, "take FILE for a Compose file, whatever its keys")
	_ = cmd.MarkFlagDirname("seed")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return misuse(cmd, err) })
}

// open reads the seed directory, or the files.
func (f *inputFlags) open(cmd *cobra.Command, files ...string) ([]*preview.Input, error) {
	switch {
	case f.seed != "" && (len(files) > 0 || f.compose):
		return nil, errors.New("--seed takes no FILE and no --compose")
	case f.seed != "":
		return []*preview.Input{preview.OpenSeed(f.seed)}, nil
	case len(files) == 0:
		return nil, errors.New("FILE is missing (- is standard input)")
	}
	var inputs []*preview.Input
	for _, file := range files {
		in, err := preview.Open(file, cmd.InOrStdin(), f.compose)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, in)
	}
	return inputs, nil
}

// misuse says what is wrong with the command line.
func misuse(cmd *cobra.Command, err error) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "dockhostctl: %v (see: %s --help)\n", err, cmd.CommandPath())
	return exitWith(exitMisuse)
}

// previewOptions are those of the agent, as far as they are the same on every
// host.
func previewOptions() assignment.Options { return assignment.Options{Declaration: gce.Read} }

// readPolicy reads the policy that a host has, or is to have.
func readPolicy(file string) (*policy.Policy, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return policy.Parse(file, text)
}

func validateCommand() *cobra.Command {
	var flags inputFlags
	var policyFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate {FILE... | - | --seed DIR}",
		Short: "say everything that is wrong with user data",
		Long: `Says everything that is wrong with user data, each problem in a line
FILE:LINE:COLUMN PATH: what, and what to do. FILE is user data in any form that
dockhost reads, or a Compose file as in /etc/dockhost/containers. It needs no
root, no Docker, no systemd and no agent.

Exit status: 0 when a host would take all of it, 1 when it would not, 2 when the
command line is wrong or a file cannot be read.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			inputs, err := flags.open(cmd, files...)
			if err != nil {
				return misuse(cmd, err)
			}
			options := previewOptions()
			if policyFile != "" {
				if options.Policy, err = readPolicy(policyFile); err != nil {
					return misuse(cmd, err)
				}
			}
			report := preview.Validate(cmd.Context(), options, inputs...)
			if asJSON {
				err = report.PrintJSON(cmd.OutOrStdout())
			} else {
				err = report.Print(cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			if err != nil || report.Well {
				return err
			}
			return exitWith(1)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&policyFile, "policy", "", "judge user data by the policy in FILE, as a host does by /etc/dockhost/policy.yaml")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (its fields: man dockhostctl)")
	return cmd
}
