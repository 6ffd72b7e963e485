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
	var question attachment.Check
	if err := json.NewDecoder(in).Decode(&question); err != nil {
		return fmt.Errorf("read the question: %w", err)
	}
	answer, err := gpu.Checker{Root: "/"}.Check(question)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(answer)
}

func attachGPUs(ctx context.Context, in io.Reader, out io.Writer) error {
	var question attachment.Question
	if err := json.NewDecoder(in).Decode(&question); err != nil {
		return fmt.Errorf("read the question: %w", err)
	}
	return attachment.Answer(out, func(tell func(attachment.Message)) (attachment.Attachment, error) {
		return findGPUs(ctx, question.Unit, question.GPU, tell)
	})
}

// findGPUs finds GPUs for the container of a unit.
func findGPUs(ctx context.Context, unit string, request *spec.GPU, tell func(attachment.Message)) (attachment.Attachment, error) {
	others, err := gpu.Claims(runDir, unit, cgroupRoot)
	if err != nil {
		return attachment.Attachment{}, err
	}
	return gpu.Attach(ctx, gpu.Machine{Root: "/"}, request, others, tell)
}

// canHaveGPUs checks that a container could get its GPUs, before the agent stops
// the old container. If no CDI spec describes the GPUs yet, there is no check: the
// supervisor has the spec generated, for which the agent's unit has no permission.
func canHaveGPUs(ctx context.Context, c *spec.Container) error {
	inventory, err := gpu.Machine{Root: "/"}.Inspect()
	if err != nil || len(inventory.Problems) == 0 && len(inventory.GPUs) > 0 && inventory.CDI.Source == "" {
		return err
	}
	_, err = findGPUs(ctx, spec.UnitName(c.Name), c.GPU, func(attachment.Message) {})
	return err
}
