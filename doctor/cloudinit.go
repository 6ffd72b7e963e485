package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

func cloudInitChecks() []Check {
	return []Check{{ID: "cloud-init", Area: "cloud-init", Title: "cloud-init has done its work", examine: checkCloudInit}}
}

// cloudInitStage is a stage in cloud-init's status.json.
type cloudInitStage struct {
	Errors      []string            `json:"errors"`
	Recoverable map[string][]string `json:"recoverable_errors"`
}

func checkCloudInit(_ context.Context, h *host) []Finding {
	text, err := h.read("/run/cloud-init/status.json")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return skip("cloud-init has not run in this boot")
	case err != nil:
		return cannotAsk("what cloud-init has done", err)
	}
	var status struct {
		V1 map[string]json.RawMessage `json:"v1"`
	}
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		return skip("cloud-init's status.json cannot be read")
	}
	var problems, recoverable []string
	for _, name := range []string{"init-local", "init", "modules-init", "modules-config", "modules-final"} {
		var stage cloudInitStage
		if json.Unmarshal(status.V1[name], &stage) != nil {
			continue
		}
		problems = append(problems, stage.Errors...)
		for _, level := range []string{"CRITICAL", "ERROR", "WARNING"} {
			recoverable = append(recoverable, stage.Recoverable[level]...)
		}
	}
	const see = "cloud-init status --long; then: cloud-init schema --system, and /var/log/cloud-init.log"
	switch {
	case len(problems) > 0:
		return fail("cloud-init has failed: "+firstOf(problems), see)
	case len(recoverable) > 0:
		return warn("cloud-init has finished with errors that it could work around (exit status 2): "+firstOf(recoverable), see)
	case !h.exists("/run/cloud-init/result.json"):
		return ok("cloud-init is at work: stage " + strings.Trim(string(status.V1["stage"]), `"`))
	}
	return ok("cloud-init is done")
}

// firstOf returns the first of several texts, without the lines of a traceback.
func firstOf(texts []string) string {
	texts = slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return strings.TrimSpace(text) == "" })
	if len(texts) == 0 {
		return "it does not say how"
	}
	first, _, _ := strings.Cut(strings.TrimSpace(texts[0]), "\n")
	return first
}
