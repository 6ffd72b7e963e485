package preview

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/dockhost/dockhost/assignment"
)

// Report is the output of `dockhostctl validate --json`.
type Report struct {
	// Well is true when no finding is an error.
	Well     bool      `json:"well"`
	Findings []Finding `json:"findings"`
	Inputs   []Summary `json:"inputs"`
}

// Summary describes one input.
type Summary struct {
	// Name is the file or directory, with the name that the user gave.
	Name string `json:"name"`
	Well bool   `json:"well"`
	// Kind is the MIME type of user data, or "compose" for a Compose file. It is
	// "" when the input is empty or unreadable.
	Kind string `json:"kind"`
	// Containers are the sorted names, empty when there is an error.
	Containers []string `json:"containers"`
}

// kindCompose is the [Summary.Kind] of a Compose file.
const kindCompose = "compose"

// Validate returns every problem of the inputs.
func Validate(ctx context.Context, o assignment.Options, inputs ...*Input) Report {
	report := Report{Well: true, Findings: []Finding{}}
	together := newTogether(inputs)
	for _, in := range inputs {
		result, problems := in.parse(ctx, o)
		summary := Summary{Name: in.Name, Well: !hasErrors(problems), Containers: []string{}}
		if in.compose {
			summary.Kind = kindCompose
		}
		if result != nil {
			together.add(in, result.Assignment.Containers)
			if result.Section != nil {
				summary.Kind = result.Section.Kind
			}
			for _, c := range result.Assignment.Containers {
				summary.Containers = append(summary.Containers, c.Name)
			}
		}
		report.Well = report.Well && summary.Well
		report.Findings = append(report.Findings, problems...)
		report.Inputs = append(report.Inputs, summary)
	}
	report.Findings = append(report.Findings, together.findings()...)
	return report
}

// Print writes errors to out, and warnings to warnings. For each input without
// errors it writes one line to out.
func (r Report) Print(out, warnings io.Writer) error {
	for _, f := range r.Findings {
		if f.Severity == Warning {
			fmt.Fprintln(warnings, f)
			continue
		}
		if _, err := fmt.Fprintln(out, f); err != nil {
			return err
		}
	}
	for _, in := range r.Inputs {
		if !in.Well {
			continue
		}
		if _, err := fmt.Fprintf(out, "%s: %s\n", in.Name, in.sentence()); err != nil {
			return err
		}
	}
	return nil
}

func (s Summary) sentence() string {
	switch count := len(s.Containers); count {
	case 0:
		return "no containers"
	case 1:
		return "1 container: " + s.Containers[0]
	default:
		return fmt.Sprintf("%d containers: %s", count, strings.Join(s.Containers, ", "))
	}
}

// PrintJSON writes the report as JSON.
func (r Report) PrintJSON(out io.Writer) error { return printJSON(out, r) }

func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
