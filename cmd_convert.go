package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/ctl"
)

// convertCommand is `dockhostctl convert`.
func convertCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "convert [FILE|-]",
		Short: "turn a declaration of another program into user data",
		Long: `Prints the user data that means the same as a declaration of another program,
with what differs in comments. It reads a file, or standard input, and needs
neither root nor Docker nor systemd.

gce: the metadata attribute gce-container-declaration of Google Compute Engine.

Exit status: 0, or 1 when the declaration is wrong, with every problem.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, in := "stdin", cmd.InOrStdin()
			if len(args) == 1 && args[0] != "-" {
				opened, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer opened.Close()
				file, in = args[0], opened
			}
			text, err := io.ReadAll(io.LimitReader(in, cloudinit.MaxSize+1))
			if err != nil {
				return err
			}
			if len(text) > cloudinit.MaxSize {
				return fmt.Errorf("%s: larger than %d MiB", file, cloudinit.MaxSize>>20)
			}
			err = ctl.Convert(ctl.ConvertOptions{From: from, File: file, Text: text, Out: cmd.OutOrStdout()})
			if err == nil {
				return nil
			}
			fmt.Fprint(cmd.ErrOrStderr(), ctl.Problems(err))
			return exitWith(1)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the kind of declaration: gce (default: what it looks like)")
	return cmd
}
