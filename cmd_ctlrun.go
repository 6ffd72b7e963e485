package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/dockhost/dockhost/ctl"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/dockerrun"
)

// declareCommand is `dockhostctl run`.
func declareCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run --name NAME [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "run a container on this host from now on",
		Long: `Has the agent run a container from now on, also after a reboot, in the unit
dockhost@NAME.service, and waits until it is ready or has failed once. A
container of that name that was run so before is replaced once all that the new
one needs is there. Prints the name of the unit.

Exit status: 0 when the container is ready, 1 when it was refused or is not
ready, with the reason; 4 when the agent cannot be reached.`,
		// docker/cli parses the command line.
		DisableFlagParsing: true,
	}
	var noBlock bool
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.BoolVar(&noBlock, "no-block", false, "do not wait until the container is ready")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := dockerrun.Parse(args, dockerrun.Options{
			Program:   "dockhostctl run",
			Flags:     own,
			Host:      os.Getenv("DOCKER_HOST"),
			ConfigDir: engine.ConfigDir(os.Getenv),
		})
		if errors.Is(err, dockerrun.ErrHelp) {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n\nUsage:\n  dockhostctl %s\n\n%s\nFlags:\n%s", cmd.Long, cmd.Use, dockerrun.Usage(), own.FlagUsages())
			return nil
		}
		if err == nil && c.Name == "" {
			err = errors.New("--name is missing: it names the container and its unit (add it before the image)")
		}
		code := 1
		if err == nil {
			code, err = declareContainer(cmd.Context(), c, noBlock, cmd.OutOrStdout())
		}
		if err != nil {
			fmt.Fprint(cmd.ErrOrStderr(), ctl.Problems(err))
		}
		return exitWith(code)
	}
	return cmd
}

func declareContainer(ctx context.Context, c *spec.Container, noBlock bool, out io.Writer) (int, error) {
	declaration, err := json.Marshal(c)
	if err != nil {
		return 1, fmt.Errorf("hand over the container: %w", err)
	}
	o := ctl.RunOptions{Socket: runDir.Socket(), Name: c.Name, Declaration: declaration, NoBlock: noBlock, Out: out}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		o.Progress = os.Stderr
	}
	return ctl.Run(ctx, o)
}
