package ctl

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// shortDigest is the length of a digest in the table, as in docker's output.
const shortDigest = len("sha256:") + 12

// printTable prints the status for people.
func printTable(w io.Writer, s api.Status, v view) error {
	var b strings.Builder
	color := v.colors.bad
	if s.Well {
		color = v.colors.good
	}
	fmt.Fprintf(&b, "%s%s%s\n\n", color, verdict(s), v.colors.off)
	if len(s.Containers) > 0 {
		writeColumns(&b, containerColumns(s.Containers, v), v.width, v.colors.off)
	}
	for _, container := range s.Containers {
		printNotes(&b, container, v.colors, v.now)
	}
	if len(s.Containers) > 0 {
		b.WriteString("\n")
	}
	printHost(&b, s, v.colors)
	_, err := io.WriteString(w, b.String())
	return err
}

func printHost(b *strings.Builder, s api.Status, c colors) {
	if s.Agent.Reachable {
		fmt.Fprintf(b, "agent:      %s\n", s.Agent.Version)
		fmt.Fprintf(b, "user data:  %s\n", source(s.Source))
	} else {
		fmt.Fprintf(b, "agent:      %sunreachable%s: %s\n", c.bad, c.off, s.Agent.Error)
		if s.Source.Note != "" {
			fmt.Fprintf(b, "note:       %s\n", s.Source.Note)
		}
	}
	switch {
	case s.Docker.Error != "":
		fmt.Fprintf(b, "docker:     %s%s%s\n", c.bad, s.Docker.Error, c.off)
	default:
		fmt.Fprintf(b, "docker:     %s\n", s.Docker.Version)
	}
	if s.Source.LastKnownGood {
		fmt.Fprintf(b, "%slast known good is in use, because:%s\n", c.bad, c.off)
	}
	for _, problem := range s.Source.Problems {
		fmt.Fprintf(b, "%sproblem:%s    %s\n", c.bad, c.off, problem)
	}
	if h := s.Housekeeping; h != nil && h.Problem != "" {
		fmt.Fprintf(b, "%sdisk:%s       %s; what fills it:\n", c.bad, c.off, h.Problem)
		printHolds(b, h.Holds)
	}
}

func source(s api.Source) string {
	switch {
	case s.Waiting != "" && s.Note != "":
		return s.Waiting + "; " + s.Note
	case s.Waiting != "":
		return s.Waiting
	case s.Datasource != "" && s.Note != "":
		return fmt.Sprintf("%s, %s, instance %s; %s", s.Datasource, s.Path, s.InstanceID, s.Note)
	case s.Datasource != "":
		return fmt.Sprintf("%s, %s, instance %s", s.Datasource, s.Path, s.InstanceID)
	case s.Note != "":
		return s.Note
	}
	return "none"
}

// view is how the status is shown.
type view struct {
	colors colors
	// width is that of the terminal, 0 for no limit.
	width int
	// wide adds columns.
	wide bool
	now  time.Time
}

// printNotes prints what does not fit in a row.
func printNotes(b *strings.Builder, container api.Container, c colors, now time.Time) {
	if container.Reason != "" && container.State != api.ContainerFinished {
		fmt.Fprintf(b, "\n%s: %s%s%s: %s%s\n", container.Name, c.of(container.State), container.State, c.off, indent(container.Reason), advice(container.Cure))
	}
	if e := container.LastError; e != nil && !strings.Contains(container.Reason, e.Message) {
		fmt.Fprintf(b, "\n%s: %slast error%s, %s: %s\n", container.Name, c.bad, c.off, ago(&e.At, now), indent(e.Message))
	}
	if p := container.Pending; p != nil && !container.OnTrack() && !wasRolledBack(container) {
		fmt.Fprintf(b, "\n%s: %snot replaced yet%s by %s: %s\n", container.Name, c.bad, c.off, p.Image, p.Doing)
		if p.Error != "" {
			fmt.Fprintf(b, "  %s\n", indent(p.Error))
		}
	}
	printUpdate(b, container, c, now)
}

// advice returns a command as the end of a sentence.
func advice(command string) string {
	switch {
	case command == "":
		return ""
	case strings.HasPrefix(command, "dockhostctl logs "), strings.HasPrefix(command, "systemctl status "), strings.HasPrefix(command, "systemctl list-jobs"):
		return " (see: " + command + ")"
	}
	return " (run: " + command + ")"
}
