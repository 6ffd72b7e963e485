package ctl

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

// maxHistory is how many past updates status NAME shows.
const maxHistory = 3

// addDetails adds what status NAME shows. What cannot be determined is left out.
func (h Host) addDetails(ctx context.Context, s *api.Status) {
	for i := range s.Containers {
		c := &s.Containers[i]
		details := h.Details(ctx, *c)
		if s.Agent.Reachable && c.Origin != api.OriginUnit {
			details.History = h.pastUpdates(ctx, c.Name)
		}
		c.Details = &details
	}
}

// pastUpdates returns the last updates of a container, none if the agent does not say.
func (h Host) pastUpdates(ctx context.Context, name string) []api.HistoryEntry {
	entries, err := askHistory(ctx, client.New(h.Socket), name)
	if err != nil {
		return nil
	}
	return entries[:min(maxHistory, len(entries))]
}

// printWhole prints all about the containers of a status.
func printWhole(w io.Writer, s api.Status, v view) error {
	var b strings.Builder
	if !s.Agent.Reachable {
		fmt.Fprintf(&b, "agent: %sunreachable%s: %s\n\n", v.colors.bad, v.colors.off, s.Agent.Error)
	}
	for i := range s.Containers {
		if i > 0 {
			b.WriteString("\n")
		}
		printOne(&b, &s.Containers[i], v)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printOne(b *strings.Builder, c *api.Container, v view) {
	fmt.Fprintf(b, "%s%s: %s%s%s", c.Name, mark(c.Origin), v.colors.of(c.State), c.State, v.colors.off)
	if c.Since != nil {
		fmt.Fprintf(b, ", since %s", ago(c.Since, v.now))
	}
	b.WriteString("\n")
	for _, fact := range factsOf(c, v.now) {
		if fact.text != "" {
			fmt.Fprintf(b, "  %-11s %s\n", fact.title+":", strings.ReplaceAll(fact.text, "\n", "\n              "))
		}
	}
	var notes strings.Builder
	printNotes(&notes, *c, v.colors, v.now)
	b.WriteString(notes.String())
	if c.Details == nil {
		return
	}
	if history := c.Details.History; len(history) > 0 {
		b.WriteString("\nlast updates:\n")
		for i := range history {
			printPast(b, &history[i], v.now)
		}
	}
	if len(c.Details.Output) > 0 {
		fmt.Fprintf(b, "\nlast output (more: dockhostctl logs %s):\n", c.Name)
		for _, line := range c.Details.Output {
			fmt.Fprintf(b, "  %s\n", printable(line))
		}
	}
}

// printPast prints a past update, with how long its phases took.
func printPast(b *strings.Builder, entry *api.HistoryEntry, now time.Time) {
	to := entry.To
	fmt.Fprintf(b, "  %s  %s: %s", when(entry.Ended, now), words(entry.Outcome), revisionText(&to))
	if entry.Why != "" {
		fmt.Fprintf(b, ": %s", strings.ReplaceAll(entry.Why, "\n", "\n    "))
	}
	b.WriteString("\n")
	var times []string
	for _, p := range entry.Phases {
		times = append(times, words(p.Phase)+" "+took(time.Duration(p.Seconds*float64(time.Second))))
	}
	if len(times) > 0 {
		fmt.Fprintf(b, "    %s\n", strings.Join(times, ", "))
	}
}

// fact is a line about a container; one with the text "" is left out.
type fact struct{ title, text string }

func factsOf(c *api.Container, now time.Time) []fact {
	facts := []fact{
		{"image", revisionText(&api.Revision{Image: orDash(c.Image), Digest: c.Digest})},
		{"unit", c.Unit + ", " + strings.Trim(c.ActiveState+"/"+c.SubState, "/")},
		{"status", c.StatusText},
		{"container", containerFact(c, now)},
		{"ports", strings.Join(c.Ports, ", ")},
		{"health", healthFact(c, now)},
		{"restarts", restartFact(c, now)},
	}
	if c.Details != nil && c.Details.Usage != nil {
		facts = append(facts, usageFacts(c.Details.Usage)...)
	}
	for _, volume := range c.Volumes {
		facts = append(facts, fact{"volume", fmt.Sprintf("%s is in the volume %s", volume.Path, volume.Name)})
	}
	return facts
}

func containerFact(c *api.Container, now time.Time) string {
	switch {
	case c.ID == "":
		return ""
	case c.StartedAt == nil:
		return c.ID[:min(12, len(c.ID))]
	}
	return c.ID[:min(12, len(c.ID))] + ", started " + ago(c.StartedAt, now)
}

func healthFact(c *api.Container, now time.Time) string {
	check := c.HealthCheck
	if check == nil {
		return c.Health
	}
	text := fmt.Sprintf("%s, checked %s: %s", c.Health, ago(&check.At, now), check.String())
	if check.Failures > 0 {
		text += fmt.Sprintf(" (%d of %d tries failed)", min(check.Failures, check.Retries), check.Retries)
	}
	return text
}

func restartFact(c *api.Container, now time.Time) string {
	text := fmt.Sprint(c.Restarts)
	if c.ExitedAt != nil {
		text += fmt.Sprintf("; last exit %s with status %d", ago(c.ExitedAt, now), c.ExitStatus)
		if c.Result != "" && c.Result != "success" {
			text += " (" + c.Result + ")"
		}
	}
	return text
}

// usageFacts say what a cgroup uses of what it may use.
func usageFacts(u *api.Usage) []fact {
	memory := bytesOf(u.MemoryBytes)
	if u.MemoryLimitBytes > 0 {
		memory += " of " + bytesOf(u.MemoryLimitBytes)
	}
	if u.MemoryPeakBytes > 0 {
		memory += ", at most " + bytesOf(u.MemoryPeakBytes)
	}
	if u.OOMKills > 0 {
		memory += fmt.Sprintf("; %s: out of memory", plural(int(u.OOMKills), "kill"))
	}
	cpu := took(time.Duration(u.CPUSeconds*float64(time.Second))) + " used"
	if u.CPULimit > 0 {
		cpu += fmt.Sprintf("; limit %.3g CPUs, slowed down for %s", u.CPULimit, took(time.Duration(u.ThrottledSeconds*float64(time.Second))))
	}
	tasks := fmt.Sprint(u.Tasks)
	if u.TasksLimit > 0 {
		tasks += fmt.Sprintf(" of %d", u.TasksLimit)
	}
	// What runs has memory and tasks: 0 is a cgroup without that controller.
	if u.MemoryBytes == 0 {
		memory = ""
	}
	if u.Tasks == 0 {
		tasks = ""
	}
	facts := []fact{{"memory", memory}, {"CPU", cpu}, {"tasks", tasks}}
	if p := u.Pressure; p != nil {
		facts = append(facts, fact{"pressure", fmt.Sprintf("CPU %.1f%%, memory %.1f%%, disk %.1f%% of the last 10 seconds", p.CPU, p.Memory, p.IO)})
	}
	return facts
}
