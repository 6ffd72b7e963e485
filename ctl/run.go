package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/dockerrun"
)

// acceptTimeout bounds the agent's answer to a declaration: another container
// may have to stop first.
const acceptTimeout = 6 * time.Minute

func (h Host) runCommand() *cobra.Command {
	var noBlock bool
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.BoolVar(&noBlock, "no-block", false, "do not wait until the container is ready")
	return &cobra.Command{
		Use:   "run --name NAME [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "run a container now and after each reboot",
		Long: `Runs a container in the unit dockhost@NAME.service, now and after each reboot,
and waits until the container is ready or fails. It then prints the name of the
unit. A container of the same name that an earlier dockhostctl run declared keeps
running until the new one can start.

Exit status: 0 when the container is ready, 1 when the agent refuses it, 3 when it
fails or does not become ready, 4 when the agent cannot be reached.`,
		// docker/cli parses the command line.
		DisableFlagParsing: true,
		ValidArgsFunction:  completeRun,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := h.parseRun(args, own)
			switch {
			case errors.Is(err, dockerrun.ErrHelp):
				fmt.Fprintf(h.Out, "%s\n\nUsage:\n  dockhostctl %s\n\n%s\nFlags:\n%s", cmd.Long, cmd.Use, dockerrun.Usage(notDeclared()...), own.FlagUsages())
				return nil
			case err != nil:
				return err
			}
			return h.run(cmd.Context(), c, noBlock)
		},
	}
}

// notDeclared are the options of docker run that the agent refuses, since it runs the
// container again at each start.
func notDeclared() []string { return []string{"attach", "cgroups", "cidfile", "logs", "pid-file"} }

// completeRun completes the options of dockhostctl run.
func completeRun(_ *cobra.Command, _ []string, part string) ([]string, cobra.ShellCompDirective) {
	if !strings.HasPrefix(part, "-") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	options := dockerrun.OptionNames(notDeclared()...)
	options["--no-block"] = "do not wait until the container is ready"
	var words []string
	for _, name := range slices.Sorted(maps.Keys(options)) {
		words = append(words, cobra.CompletionWithDesc(name, options[name]))
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// parseRun returns the container that the command line describes.
func (h Host) parseRun(args []string, own *pflag.FlagSet) (*spec.Container, error) {
	c, err := dockerrun.Parse(args, dockerrun.Options{
		Program:   "dockhostctl run",
		Flags:     own,
		Host:      h.DockerHost,
		ConfigDir: h.DockerConfig,

		WritesUnit: true,
	})
	if err == nil && c.Name == "" {
		err = errors.New("--name is missing: it names the container and its unit (add it before the image)")
	}
	return c, err
}

func (h Host) run(ctx context.Context, c *spec.Container, noBlock bool) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("hand over the container: %w", err)
	}
	d := declaration{name: c.Name, text: text, progress: h.progress()}
	unit, err := d.run(ctx, client.New(h.Socket), noBlock)
	if err == nil {
		_, err = fmt.Fprintln(h.Out, unit)
	}
	return err
}

// declaration is a container that the agent is asked to run.
type declaration struct {
	name string
	// text is the JSON of the container.
	text []byte
	// progress gets a line for each step.
	progress io.Writer
}

// run has the agent run the container and, unless noBlock is set, waits until
// it is ready or fails. It returns the name of the unit.
func (d declaration) run(ctx context.Context, c client.Client, noBlock bool) (unit string, err error) {
	accepted, err := d.declare(ctx, c)
	if err == nil && !noBlock {
		err = awaitReady(ctx, c, d.name, accepted.At, "", d.progress)
	}
	if err == nil || ctx.Err() == nil {
		return accepted.Unit, err
	}
	if accepted.Unit == "" {
		err = fmt.Errorf("interrupted before the agent answered: it may still run %s (see: dockhostctl status)", d.name)
	} else {
		err = fmt.Errorf("no longer waiting for %s; the agent keeps working on it (see: dockhostctl status)", d.name)
	}
	return accepted.Unit, &exitError{exitInterrupted, err}
}

func (d declaration) declare(ctx context.Context, c client.Client) (api.Accepted, error) {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	return c.Declare(ctx, d.name, d.text)
}
