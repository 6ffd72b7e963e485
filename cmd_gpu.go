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

// gpuCommand is `dockhost gpu`, which a supervisor runs for a container with
// GPUs.
func gpuCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "gpu", Short: "find GPUs for a supervisor", Hidden: true}
	cmd.AddCommand(&cobra.Command{
		Use:   "attach",
		Short: "give a container its GPUs (JSON on standard input and output)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return attachGPUs(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	})
	cmd.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "check whether a container can still use its GPUs (JSON on standard input and output)",
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

// findGPUs returns the changes that give a unit's container the GPUs that it needs.
func findGPUs(ctx context.Context, unit string, needs *spec.GPUNeeds, tell func(attachment.Message)) (attachment.Attachment, error) {
	others, err := gpu.Claims(runDir, unit, cgroupRoot)
	if err != nil {
		return attachment.Attachment{}, err
	}
	return gpu.Attach(ctx, gpu.Machine{Root: "/"}, needs, others, tell)
}
