package ctl

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/ctl/preview"
	"github.com/dockhost/dockhost/spec/gce"
)

// inputFlags choose what validate and render read.
type inputFlags struct {
	seed    string
	compose bool
}

func (f *inputFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.seed, "seed", "", "read `DIR`/user-data and DIR/meta-data, like cloud-init's NoCloud datasource")
	cmd.Flags().BoolVar(&f.compose, "compose", false, "read FILE as a Compose file, whatever its keys")
	_ = cmd.MarkFlagDirname("seed")
	cmd.SetFlagErrorFunc(misuse)
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

// misuse returns the error for a wrong command line or an unreadable file.
func misuse(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w (see: %s --help)", err, cmd.CommandPath())
}

// previewOptions are the agent's options that are the same on every host.
func previewOptions() assignment.Options { return assignment.Options{Declaration: gce.Read} }
