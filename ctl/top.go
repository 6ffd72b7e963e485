package ctl

import (
	"github.com/spf13/cobra"
)

// containersSlice is the slice of all units dockhost@.
const containersSlice = "/system.slice/system-dockhost.slice"

func (h Host) topCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "top [-- SYSTEMD-CGTOP-OPTIONS]",
		Short: "show what the containers use now",
		Long: `Runs systemd-cgtop for the cgroups of the assigned containers: their tasks,
processor time, memory and input and output. Options after -- are passed to
systemd-cgtop.

Exit status: that of systemd-cgtop; 1 when it cannot be run.`,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, options []string) error {
			return h.Become(append([]string{"systemd-cgtop", "--depth=5", containersSlice}, options...)...)
		},
	}
}
