package ctl

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

// operation is something that the agent does with containers.
type operation struct {
	// verb is the name of the command, and the last part of the path.
	verb string
	// done says what was done.
	done string
	// waits says that the command waits until the container is ready.
	waits bool
}

func (h Host) startCommand() *cobra.Command {
	return h.operateCommand(operation{verb: "start", done: "ready", waits: true}, "start containers that are stopped", `Starts containers, and waits until they are ready or fail. A container that runs is left
as it is. This ends a stop by dockhostctl stop or systemctl stop.`)
}

func (h Host) restartCommand() *cobra.Command {
	return h.operateCommand(operation{verb: "restart", done: "ready", waits: true}, "restart containers", `Stops containers and starts them again, as systemctl restart does, and waits until they
are ready or fail. One that is stopped is started. To run a newer image, use dockhostctl
update.`)
}

func (h Host) stopCommand() *cobra.Command {
	return h.operateCommand(operation{verb: "stop", done: "stopped"}, "stop containers until they are started again", `Stops containers, and waits until they have stopped. They stay stopped, over reboots
too, until dockhostctl start, systemctl start, or a changed assignment of the container.
A newer image waits as well. systemctl stop does the same. The status shows who has
stopped a container; that is no problem of the host.`)
}

func (h Host) reloadCommand() *cobra.Command {
	return h.operateCommand(operation{verb: "reload", done: "reloaded"}, "have containers read their configuration again", `Reloads containers, as their x-dockhost.reload says: by a signal, or by a command in
the container. A container without this setting cannot be reloaded.`)
}

func (h Host) operateCommand(o operation, short, long string) *cobra.Command {
	var noBlock bool
	end := "1 when one does not exist or the agent cannot do it, 4 when the agent\ncannot be reached."
	if o.waits {
		end = "1 when one does not exist or the agent cannot do it, 3 when one does\nnot become ready, 4 when the agent cannot be reached."
	}
	cmd := &cobra.Command{
		Use:               o.verb + " NAME...",
		Short:             short,
		Long:              long + "\n\nExit status: 0 when all are " + o.done + ", " + end,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: h.completeContainers(-1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c := client.New(h.Socket)
			return forEach(unique(names), func(_ int, name string) error {
				return h.operate(cmd.Context(), c, name, o, noBlock)
			})
		},
	}
	if o.waits {
		cmd.Flags().BoolVar(&noBlock, "no-block", false, "do not wait until the containers are ready")
	}
	return cmd
}

// operate has the agent do something with a container, and says what was done.
func (h Host) operate(ctx context.Context, c client.Client, name string, o operation, noBlock bool) error {
	answer, err := beginOperation(ctx, c, name, o.verb)
	if err != nil {
		return named(ctx, name, err)
	}
	if answer.Note != "" {
		fmt.Fprintf(h.Err, "dockhostctl: %s: %s\n", name, answer.Note)
	}
	if o.waits && noBlock {
		return nil
	}
	if o.waits {
		if err := awaitReady(ctx, c, name, answer.At, o.verb, h.progress()); err != nil {
			return named(ctx, name, err)
		}
	}
	hint := ""
	if o.verb == "stop" {
		hint = " (to start it: dockhostctl start " + name + ")"
	}
	fmt.Fprintf(h.Out, "%s: %s%s\n", name, o.done, hint)
	return nil
}

func beginOperation(ctx context.Context, c client.Client, name, verb string) (api.Operated, error) {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	return c.Operate(ctx, name, verb)
}

// named returns an error about a container. One after a signal says that the agent
// continues.
func named(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return &exitError{exitInterrupted, fmt.Errorf("no longer waiting for %s; the agent keeps working on it (see: dockhostctl status)", name)}
	}
	return err
}

// progress gets the steps of a container: people see them, programs do not.
func (h Host) progress() io.Writer {
	if h.Interactive {
		return h.Err
	}
	return io.Discard
}

// awaitReady waits until a container is ready, or has failed since the agent accepted a
// request: "start", "restart", or "" for a declaration.
func awaitReady(ctx context.Context, c client.Client, name string, accepted time.Time, request string, progress io.Writer) error {
	step := ""
	last, err := c.Operation(ctx, name, request, accepted, func(p api.Progress) {
		if p.Doing != "" && p.Doing != step {
			step = p.Doing
			fmt.Fprintf(progress, "%s: %s\n", name, step)
		}
	})
	if last.Error != "" {
		return &exitError{exitNotWell, fmt.Errorf("%s: %s", name, last.Error)}
	}
	return err
}
