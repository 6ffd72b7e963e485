package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/doctor"
)

func (h Host) doctorCommand() *cobra.Command {
	var asJSON, verbose, list bool
	cmd := &cobra.Command{
		Use:   "doctor [CHECK...]",
		Short: "find out what is wrong with this host",
		Long: `Checks whether this host has what its containers need, and says what to do about
each problem. It changes nothing. The checks run side by side, and each has a time
limit, so that it takes seconds even if Docker or DNS does not answer. A CHECK is
the name of a check or of an area, such as docker or network; without any, all are
made. Some need root.

Exit status: 0 when no check has failed, 3 when one has; warnings do not count.
1 means that there is no such check.`,
		ValidArgsFunction: completeChecks,
		RunE: func(cmd *cobra.Command, names []string) error {
			checks, err := doctor.Select(names)
			if err != nil {
				return err
			}
			if list {
				return listChecks(h.Out, checks)
			}
			report, err := h.Diagnose(cmd.Context(), h.anyStatus, checks)
			if err != nil {
				return err
			}
			return printFindings(h.Out, report, asJSON, verbose || len(names) > 0, palette(h.Color))
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asJSON, "json", false, "print JSON (its schema: /usr/share/dockhost/doctor.schema.json)")
	flags.BoolVarP(&verbose, "verbose", "v", false, "print also what is right, and why a check was skipped")
	flags.BoolVar(&list, "list", false, "list the checks, and make none")
	cmd.MarkFlagsMutuallyExclusive("json", "verbose", "list")
	return cmd
}

func completeChecks(_ *cobra.Command, named []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, check := range doctor.Checks() {
		names = append(names, check.ID+"\t"+check.Title)
	}
	return slices.DeleteFunc(names, func(line string) bool {
		name, _, _ := strings.Cut(line, "\t")
		return slices.Contains(named, name)
	}), cobra.ShellCompDirectiveNoFileComp
}

// anyStatus returns the status of the host, with or without the agent's help.
func (h Host) anyStatus(ctx context.Context) (api.Status, error) {
	s, err := askStatus(ctx, h.Socket)
	if err == nil {
		return s, nil
	}
	cause := err
	if s, err = h.StatusWithoutAgent(context.WithoutCancel(ctx)); err != nil {
		return api.Status{}, errors.Join(cause, err)
	}
	s.Agent = api.Agent{Error: cause.Error()}
	return s, nil
}

func listChecks(out io.Writer, checks []doctor.Check) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, check := range checks {
		fmt.Fprintf(table, "%s\t%s\n", check.ID, check.Title)
	}
	return table.Flush()
}

func printFindings(out io.Writer, report doctor.Report, asJSON, verbose bool, c colors) error {
	var err error
	if asJSON {
		err = printJSON(out, report)
	} else {
		_, err = io.WriteString(out, findingsText(report, verbose, c))
	}
	switch {
	case err != nil:
		return fmt.Errorf("print the findings: %w", err)
	case !report.Well:
		return &exitError{status: exitNotWell}
	}
	return nil
}

// findingsText returns the findings for people: problems first, then warnings. What is
// right takes one line, unless verbose is set.
func findingsText(report doctor.Report, verbose bool, c colors) string {
	by := map[doctor.State][]doctor.Finding{}
	for _, finding := range report.Findings {
		by[finding.State] = append(by[finding.State], finding)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s; %d ok, %d skipped\n", count(len(by[doctor.Fail]), "problem"), count(len(by[doctor.Warn]), "warning"), len(by[doctor.OK]), len(by[doctor.Skip]))
	if len(by[doctor.Fail])+len(by[doctor.Warn]) > 0 {
		b.WriteString("\n")
	}
	printFindingsOf(&b, by[doctor.Fail], c.bad+"FAIL"+c.off)
	printFindingsOf(&b, by[doctor.Warn], "WARN")
	b.WriteString("\n")
	if verbose {
		printFindingsOf(&b, by[doctor.OK], c.good+"ok"+c.off+"  ")
		printFindingsOf(&b, by[doctor.Skip], "skip")
		return b.String()
	}
	printNames(&b, "ok:     ", by[doctor.OK])
	printNames(&b, "skipped:", by[doctor.Skip])
	return b.String()
}

// count returns "no problem", "1 problem" or "2 problems".
func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func printFindingsOf(b *strings.Builder, findings []doctor.Finding, mark string) {
	for _, finding := range findings {
		fmt.Fprintf(b, "%s  %s: %s\n", mark, finding.Check, finding.Found)
		if finding.Cure != "" {
			fmt.Fprintf(b, "      cure: %s\n", finding.Cure)
		}
	}
}

// printNames prints the names of checks in one line.
func printNames(b *strings.Builder, title string, findings []doctor.Finding) {
	var names []string
	for _, finding := range findings {
		names = append(names, finding.Check)
	}
	if names = slices.Compact(names); len(names) > 0 {
		fmt.Fprintf(b, "%s %s\n", title, strings.Join(names, " "))
	}
}
