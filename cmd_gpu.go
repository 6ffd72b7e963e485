package main

import (
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/dockhost/dockhost/ctl"
	"github.com/dockhost/dockhost/gpu"
)

// gpuCommand is `dockhostctl gpu`.
func gpuCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "gpu",
		Short: "say what GPUs the host has, and who uses them",
		Long: `Says which NVIDIA driver is loaded, what describes its GPUs to containers, which
GPUs there are, which containers were given them, which processes have them
open, and what is wrong. It needs neither the agent nor Docker, but root, to see
who uses what. Exit status: 0 when all is well, 3 when something is not.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			host := gpu.Machine{Root: "/"}
			found, err := host.Inspect()
			if err != nil {
				return err
			}
			report, err := host.Gather(found, runDir)
			if err != nil {
				return err
			}
			color := term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""
			code, err := ctl.GPU(cmd.OutOrStdout(), report, asJSON, color)
			if err != nil {
				return err
			}
			return exitWith(code)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (its schema: /usr/share/dockhost/gpu.schema.json)")
	return cmd
}
