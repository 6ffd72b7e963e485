package ctl

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// shortDigest is the length of a digest in the table, as in docker's output.
const shortDigest = len("sha256:") + 12

// printTable prints the status for people.
func printTable(w io.Writer, s api.Status, c colors, now time.Time) error {
	var b strings.Builder
	printHost(&b, s, c)
	if len(s.Containers) > 0 {
		b.WriteString("\n")
		if err := printContainers(&b, s.Containers, c, now); err != nil {
			return err
		}
	}
	for _, container := range s.Containers {
		printNotes(&b, container, c, now)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printHost(b *strings.Builder, s api.Status, c colors) {
	if s.Agent.Reachable {
		fmt.Fprintf(b, "agent:      %s\n", s.Agent.Version)
		fmt.Fprintf(b, "user data:  %s\n", source(s.Source))
	} else {
		fmt.Fprintf(b, "agent:      %sunreachable%s: %s\n", c.bad, c.off, s.Agent.Error)
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

func printContainers(b *strings.Builder, containers []api.Container, c colors, now time.Time) error {
	// tabwriter counts escapes, which have no width on a terminal. So only the
	// last column may be colored.
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CONTAINER\tIMAGE\tDIGEST\tUNIT\tHEALTH\tSINCE\tRESTARTS\tREADY")
	for _, container := range containers {
		ready := c.good + "yes" + c.off
		switch {
		case container.Finished:
			ready = "finished"
		case !container.Ready:
			ready = c.bad + "no" + c.off
		}
		if container.Cached {
			ready += " (cached image)"
		}
		name := container.Name
		switch container.Origin {
		case api.OriginFile:
			name += " (file)"
		case api.OriginLocal:
			name += " (local)"
		case api.OriginUserData:
		}
		fmt.Fprintln(table, strings.Join([]string{
			name,
			orDash(container.Image),
			orDash(container.Digest[:min(shortDigest, len(container.Digest))]),
			orDash(strings.Trim(container.ActiveState+"/"+container.SubState, "/")),
			orDash(container.Health),
			ago(container.Since, now),
			strconv.Itoa(container.Restarts),
			ready,
		}, "\t"))
	}
	return table.Flush()
}

// printVolumes prints where the data of containers is that have no volume of their own
// for it.
func printVolumes(w io.Writer, containers []api.Container) error {
	var b strings.Builder
	for _, container := range containers {
		for _, volume := range container.Volumes {
			fmt.Fprintf(&b, "\n%s: %s is in the volume %s\n", container.Name, volume.Path, volume.Name)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printNotes prints what does not fit in a row.
func printNotes(b *strings.Builder, container api.Container, c colors, now time.Time) {
	if !container.Ready && container.StatusText != "" {
		fmt.Fprintf(b, "\n%s: %s\n", container.Name, container.StatusText)
	}
	if container.Outdated {
		fmt.Fprintf(b, "\n%s: runs %san older revision%s than the assigned one, until the agent has restarted it\n", container.Name, c.bad, c.off)
	}
	if container.GPU != "" {
		fmt.Fprintf(b, "\n%s: %slost a GPU%s: %s (to restart it: systemctl restart %s)\n", container.Name, c.bad, c.off, container.GPU, container.Unit)
	}
	// The status text may contain the error already, with the time of the next
	// try.
	if e := container.LastError; e != nil && (container.Ready || !strings.Contains(container.StatusText, e.Message)) {
		fmt.Fprintf(b, "\n%s: %slast error%s, %s: %s\n", container.Name, c.bad, c.off, ago(&e.At, now), e.Message)
	}
	if p := container.Pending; p != nil && !container.OnTrack() && !wasRolledBack(container) {
		fmt.Fprintf(b, "\n%s: %snot replaced yet%s by %s: %s\n", container.Name, c.bad, c.off, p.Image, p.Doing)
		if p.Error != "" {
			fmt.Fprintf(b, "  %s\n", indent(p.Error))
		}
	}
	printUpdate(b, container, c, now)
}
