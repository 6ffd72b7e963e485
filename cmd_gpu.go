package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/gpu"
	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/spec"
)

// gpuCommand is the helper that a supervisor starts for a container with GPUs.
func gpuCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "gpu", Short: "answer a supervisor's questions about GPUs", Hidden: true}
	cmd.AddCommand(&cobra.Command{
		Use:   "attach",
		Short: "find GPUs for a container (JSON on standard input and output)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return attachGPUs(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	})
	cmd.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "check that a container can still use its GPUs (JSON on standard input and output)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return checkGPUs(cmd.InOrStdin(), cmd.OutOrStdout())
		},
	})
	return cmd
}

func checkGPUs(in io.Reader, out io.Writer) error {
	var asked attachment.Check
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return fmt.Errorf("read the question: %w", err)
	}
	found, err := gpu.Checker{Root: "/"}.Check(asked)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(found)
}

func attachGPUs(ctx context.Context, in io.Reader, out io.Writer) error {
	var asked attachment.Question
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return fmt.Errorf("read the question: %w", err)
	}
	return attachment.Answer(out, func(tell func(attachment.Message)) (attachment.Attachment, error) {
		return findGPUs(ctx, asked.Unit, asked.GPU, tell)
	})
}

// findGPUs returns what gives the container of a unit the GPUs that it asks for.
func findGPUs(ctx context.Context, unit string, asked *spec.GPU, tell func(attachment.Message)) (attachment.Attachment, error) {
	others, err := gpu.Claims(runDir, unit, cgroupRoot)
	if err != nil {
		return attachment.Attachment{}, err
	}
	return gpu.Attach(ctx, gpu.Machine{Root: "/"}, asked, others, tell)
}

// canHaveGPUs is what the agent asks before it replaces a container that runs.
// A description of the GPUs that is not there yet, the supervisor has made: the
// programs that do so need more than the agent's unit lets them.
func canHaveGPUs(ctx context.Context, c *spec.Container) error {
	found, err := gpu.Machine{Root: "/"}.Inspect()
	if err != nil || len(found.Problems) == 0 && len(found.GPUs) > 0 && found.CDI.Source == "" {
		return err
	}
	_, err = findGPUs(ctx, spec.UnitName(c.Name), c.GPU, func(attachment.Message) {})
	return err
}
