// Package doctor examines a host: whether it has what dockhost needs, and what is wrong
// with it. Each check finds out one thing, and says what to do about it. The checks run
// side by side, each with a time limit, and change nothing. dockhostctl runs them; the
// agent must not import this package.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dockhost/dockhost/internal/oneline"
)

// ReportVersion is the version of the JSON. It changes when the meaning of a field
// changes.
const ReportVersion = 1

// Report is the documented JSON of `dockhostctl doctor --json`. Fields are added, but
// never renamed.
type Report struct {
	// Version is [ReportVersion].
	Version int `json:"version"`
	// Well says that no check has failed. Warnings do not count.
	Well bool `json:"well"`
	// Findings are what the checks have found, in the order of the checks.
	Findings []Finding `json:"findings"`
}

// Finding is what one check has found. A check of several things, such as registries,
// has several findings.
type Finding struct {
	// Check is the name of the check ("docker-runtime"), Area the part of the host that
	// it belongs to ("docker").
	Check string `json:"check"`
	Area  string `json:"area"`
	State State  `json:"state"`
	// Found says in a sentence what was found.
	Found string `json:"found"`
	// Cure is what to do about it, usually a command; "" if there is nothing to do.
	Cure string `json:"cure,omitempty"`
}

// State is the outcome of a check.
type State string

// The outcomes.
const (
	// OK means that nothing is wrong.
	OK State = "ok"
	// Warn means that containers run, but that something will go wrong some day.
	Warn State = "warn"
	// Fail means that containers do not run as they should.
	Fail State = "fail"
	// Skip means that the check does not apply to this host, or cannot be made.
	Skip State = "skip"
)

// Check finds out one thing about the host.
type Check struct {
	// ID is its name on the command line. Title is what is true if nothing is wrong.
	ID, Area, Title string
	// patience is the time limit; 0 is [patience].
	patience time.Duration
	examine  func(ctx context.Context, h *host) []Finding
}

// patience bounds a check that makes no requests to other machines.
const patience = 8 * time.Second

// maxFound bounds the length of a finding's text, in characters.
const maxFound = 600

// Checks returns all checks, in the order in which they are shown.
func Checks() []Check {
	return slices.Concat(containerChecks(), dockerChecks(), systemdChecks(), unitChecks(), diskChecks(), networkChecks(),
		registryChecks(), cloudInitChecks(), gpuChecks(), securityChecks(), journalChecks())
}

// Select returns the checks with these names, or of these areas; all without any. The
// error names those that do not exist.
func Select(names []string) ([]Check, error) {
	all := Checks()
	if len(names) == 0 {
		return all, nil
	}
	var unknown []string
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c Check) bool { return c.ID == name || c.Area == name }) {
			unknown = append(unknown, strconv.Quote(name))
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("no check is called %s (to see all, run: dockhostctl doctor --list)", strings.Join(unknown, ", "))
	}
	return slices.DeleteFunc(all, func(c Check) bool { return !slices.Contains(names, c.ID) && !slices.Contains(names, c.Area) }), nil
}

// Run makes checks side by side and returns what they have found. A check that does
// not end in time fails.
func Run(ctx context.Context, h Host, checks []Check) Report {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shared := newHost(ctx, h)
	results := make([]chan []Finding, len(checks))
	for i, check := range checks {
		results[i] = make(chan []Finding, 1)
		go func() { results[i] <- check.run(ctx, shared) }()
	}
	report := Report{Version: ReportVersion, Well: true, Findings: []Finding{}}
	for i, result := range results {
		for _, finding := range <-result {
			finding.Check, finding.Area = checks[i].ID, checks[i].Area
			finding.Found = oneline.Of(finding.Found, maxFound)
			report.Well = report.Well && finding.State != Fail
			report.Findings = append(report.Findings, finding)
		}
	}
	return report
}

// run makes the check, and gives it up at its time limit.
func (c Check) run(ctx context.Context, h *host) []Finding {
	limit := c.patience
	if limit == 0 {
		limit = patience
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	findings := make(chan []Finding, 1)
	go func() { findings <- c.examine(ctx, h) }()
	select {
	case f := <-findings:
		return f
	case <-ctx.Done():
		return fail(fmt.Sprintf("cannot tell whether %s: no answer within %s", c.Title, limit), "see what hangs: journalctl -b -p warning -n 50")
	}
}

func ok(found string) []Finding         { return []Finding{{State: OK, Found: found}} }
func skip(found string) []Finding       { return []Finding{{State: Skip, Found: found}} }
func warn(found, cure string) []Finding { return []Finding{{State: Warn, Found: found, Cure: cure}} }

func fail(found, cure string) []Finding { return []Finding{{State: Fail, Found: found, Cure: cure}} }
