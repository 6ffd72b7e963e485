package ctl

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
)

// ExecRequest is a command to run in a container.
type ExecRequest struct {
	// ID is the Engine's id of the container.
	ID      string
	Command []string
	// Terminal gives the command a terminal.
	Terminal bool
	// User is who runs it, as docker exec takes it; "" for the container's own user.
	User string
}

func (h Host) execCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:   "exec NAME [--] COMMAND [ARG...]",
		Short: "run a command in a container",
		Long: `Runs a command in a container that runs, as docker exec does. On a terminal the
command gets one; it always reads standard input. The container is the one that its
unit runs now, whatever Docker calls it.

Exit status: that of the command; 1 when the container does not run, 4 when the agent
cannot be reached.`,
		Args: cobra.MinimumNArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return h.completeContainers(1)(cmd, args, part)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return h.exec(cmd.Context(), args[0], ExecRequest{Command: args[1:], Terminal: h.Terminal, User: user})
		},
	}
	cmd.Flags().StringVarP(&user, "user", "u", "", "run it as this `USER` of the container")
	cmd.Flags().SetInterspersed(false) // what follows the name belongs to the command
	if err := cmd.RegisterFlagCompletionFunc("user", cobra.NoFileCompletions); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (h Host) exec(ctx context.Context, name string, request ExecRequest) error {
	s, err := askStatus(ctx, h.Socket)
	if err != nil {
		return err
	}
	if err := pick(&s, []string{name}); err != nil {
		return err
	}
	c := s.Containers[0]
	if c.ID == "" || c.ActiveState != "active" && c.ActiveState != "activating" && c.ActiveState != "reloading" {
		return fmt.Errorf("%s does not run: its unit is %s%s", name, cmp.Or(c.ActiveState, "not known"), whatToDo(c))
	}
	// -- is for those who write it: docker exec has no such word.
	if request.Command[0] == "--" && len(request.Command) > 1 {
		request.Command = request.Command[1:]
	}
	request.ID = c.ID
	code, err := h.Exec(ctx, request)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if code != 0 {
		return &exitError{status: code}
	}
	return nil
}

// whatToDo says how a container that does not run is started.
func whatToDo(c api.Container) string {
	if c.Stopped != nil {
		return ", stopped by " + cmp.Or(c.Stopped.User, "someone") + " with " + c.Stopped.By + " (to start it: dockhostctl start " + c.Name + ")"
	}
	return " (see: dockhostctl status " + c.Name + ")"
}
