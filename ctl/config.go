package ctl

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// Setting is one setting of the agent.
type Setting struct {
	// Key is its path in dockhost.yaml: housekeeping.high.
	Key   string `json:"key"`
	Value string `json:"value"`
	// Origin is the file and the line that set it; "" for a default.
	Origin string `json:"origin,omitempty"`
}

func (h Host) configCommand() *cobra.Command {
	var defaults, asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "show the settings of the agent, and where each comes from",
		Long: `Shows the settings of /etc/dockhost/dockhost.yaml in effect, with their defaults, and
for each the line of the file that sets it. User data may have settings of housekeeping,
and each container its own of updates; they are not shown.

Exit status: 0 on success, 1 when the file has a mistake or cannot be read: the agent
then uses the settings that it read before.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			settings, err := h.Settings(defaults)
			if err != nil {
				return asRoot(err)
			}
			if asJSON {
				return printJSON(h.Out, settings)
			}
			var b strings.Builder
			table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "SETTING\tVALUE\tORIGIN")
			for _, s := range settings {
				origin := s.Origin
				if origin == "" {
					origin = "default"
				}
				fmt.Fprintf(table, "%s\t%s\t%s\n", s.Key, orDash(s.Value), origin)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			_, err = fmt.Fprint(h.Out, b.String())
			return err
		},
	}
	cmd.Flags().BoolVar(&defaults, "defaults", false, "show the defaults, and not what the file sets")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
