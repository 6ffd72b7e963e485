package main

import "github.com/spf13/cobra"

func agentCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "agent",
		Short: "run the node agent",
		Long: `Runs the containers that user data assigns to this host, each in a unit
dockhost@NAME.service. It keeps the last known good assignment for the next boot.
dockhost.service runs the agent; systemctl reload dockhost, or SIGHUP, makes it
read the user data again. A host has one agent: another one says which process it is,
and ends.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return becomeAgent(cmd.Context().Done()) },
	}
}

// becomeAgent turns this process into the agent. It returns only on failure, or if stop
// is closed: the agent would not know of a stop that was requested before.
func becomeAgent(stop <-chan struct{}) error {
	select {
	case <-stop:
		return nil
	default:
		return becomeProgram("dockhost-agent")
	}
}
