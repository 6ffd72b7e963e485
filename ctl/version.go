package ctl

import (
	"fmt"

	"github.com/spf13/cobra"
)

// programVersions are the versions on this host.
type programVersions struct {
	Dockhostctl string `json:"dockhostctl"`
	// Agent, Docker and Problem are what the agent says, or why it does not.
	Agent   string `json:"agent,omitempty"`
	Docker  string `json:"docker,omitempty"`
	Problem string `json:"problem,omitempty"`
}

func (h Host) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "show the versions of dockhostctl, the agent and Docker",
		Long: `Shows the versions of dockhostctl, of the agent that runs, and of Docker. After an
upgrade the agent has another version until it is restarted.

Exit status: 0, also when the agent cannot be reached.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := programVersions{Dockhostctl: h.Version}
			s, err := askStatus(cmd.Context(), h.Socket)
			if err != nil {
				v.Problem = err.Error()
			} else {
				v.Agent, v.Docker = s.Agent.Version, s.Docker.Version
			}
			if asJSON {
				return printJSON(h.Out, v)
			}
			agent, docker := orDash(v.Agent), orDash(v.Docker)
			if v.Problem != "" {
				agent = "- (" + v.Problem + ")"
			}
			_, err = fmt.Fprintf(h.Out, "dockhostctl  %s\nagent        %s\ndocker       %s\n", v.Dockhostctl, agent, docker)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
