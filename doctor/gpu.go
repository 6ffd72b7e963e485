package doctor

import (
	"context"
	"fmt"
	"strings"
)

func gpuChecks() []Check {
	return []Check{{ID: "gpu", Area: "gpu", Title: "containers get their GPUs", examine: checkGPU}}
}

func checkGPU(_ context.Context, h *host) []Finding {
	report, err := h.GPUs()
	if err != nil {
		return cannotAsk("which GPUs there are", err)
	}
	var findings []Finding
	for _, problem := range report.Problems {
		findings = append(findings, fail(split(problem, "dockhostctl gpu"))...)
	}
	for _, stale := range report.CDI.Stale {
		findings = append(findings, warn(fmt.Sprintf("%s does not match the host: %s", stale.Path, stale.Why), "remove it, or make it again: nvidia-ctk cdi generate --output "+stale.Path)...)
	}
	for _, note := range report.Notes {
		findings = append(findings, warn(split(note, "dockhostctl gpu"))...)
	}
	switch {
	case len(findings) > 0:
		return findings
	case len(report.GPUs) == 0:
		return skip("this host has no NVIDIA GPU, and no container needs one")
	}
	var names []string
	for _, card := range report.GPUs {
		names = append(names, card.Model)
	}
	return ok(fmt.Sprintf("driver %s, %s", report.Driver.Version, strings.Join(names, ", ")))
}
