package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"

	"github.com/dockhost/dockhost/agent/api"
)

// gcTimeout bounds a run of housekeeping: a slow disk takes a while to remove
// what is on it.
const gcTimeout = 30 * time.Minute

// GCOptions say what is asked and how it is shown.
type GCOptions struct {
	// Socket is the agent's.
	Socket string
	// DryRun says what would be done, and does nothing.
	DryRun bool
	// Explain names an image: say why it stays or goes, and do nothing.
	Explain string
	// JSON asks for JSON instead of a table.
	JSON bool
	Out  io.Writer
}

// GC has the agent remove what nothing needs, or say what it would remove. It
// returns the exit status: 0 when it was done, 1 when something could not be
// removed or there is no image to explain, 3 when the disk is still too full, or
// would be, 4 when the agent cannot be reached.
func GC(ctx context.Context, o GCOptions) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, gcTimeout)
	defer cancel()
	method := http.MethodPost
	if o.DryRun || o.Explain != "" {
		method = http.MethodGet
	}
	var gc api.GC
	if _, err := newClient(o.Socket).change(ctx, method, "/v1/gc", nil, &gc); err != nil {
		return exitStatus(err), err
	}
	if o.Explain != "" {
		gc.Images = slices.DeleteFunc(gc.Images, func(image api.GCImage) bool { return !names(image, o.Explain) })
		if len(gc.Images) == 0 {
			return exitFailed, fmt.Errorf("there is no image %q on this host (see: docker image ls)", o.Explain)
		}
	}
	if err := printGC(o, gc); err != nil {
		return exitFailed, fmt.Errorf("print what housekeeping does: %w", err)
	}
	switch {
	case len(gc.Problems) > 0:
		return exitFailed, nil
	case len(gc.Holds) > 0 && o.Explain == "":
		return exitNotWell, nil
	}
	return exitWell, nil
}

// names says whether an image is meant by a name: one of its references, with
// or without the registry and tag, or its ID or the beginning of that.
func names(image api.GCImage, name string) bool {
	id := strings.TrimPrefix(image.ID, "sha256:")
	if prefix := strings.TrimPrefix(name, "sha256:"); len(prefix) >= 4 && strings.HasPrefix(id, prefix) {
		return true
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")
	return slices.ContainsFunc(image.Names, func(ref string) bool {
		repository, _, _ := strings.Cut(ref, "@")
		if colon := strings.LastIndex(repository, ":"); colon > strings.LastIndex(repository, "/") {
			repository = repository[:colon]
		}
		return ref == name || repository == name
	})
}

func printGC(o GCOptions, gc api.GC) error {
	if o.JSON {
		encoder := json.NewEncoder(o.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(gc)
	}
	var b strings.Builder
	if o.Explain == "" {
		printDisk(&b, gc)
	}
	if err := printImages(&b, gc, o.Explain == "" && !o.DryRun); err != nil {
		return err
	}
	if o.Explain == "" {
		printRest(&b, gc)
	}
	_, err := io.WriteString(o.Out, b.String())
	return err
}

func printDisk(b *strings.Builder, gc api.GC) {
	d := gc.Disk
	fmt.Fprintf(b, "disk:    %s, %s, %d%% used (inodes: %d%%), %s free\n", d.Root, bytesOf(d.Size), d.Used, d.InodesUsed, bytesOf(d.Free))
	fmt.Fprintf(b, "marks:   high %d%%, low %d%%", d.High, d.Low)
	if d.Wanted > 0 {
		fmt.Fprintf(b, ": %s are to be freed", bytesOf(d.Wanted))
	}
	b.WriteString("\n")
	if gc.Off {
		b.WriteString("note:    housekeeping is off: nothing goes unless it is asked for (housekeeping in dockhost.yaml)\n")
	}
	if gc.Done {
		fmt.Fprintf(b, "freed:   %s\n", bytesOf(gc.Freed))
	} else {
		fmt.Fprintf(b, "frees:   %s\n", bytesOf(gc.Frees))
	}
}

// printImages prints all images, or those that went.
func printImages(b *strings.Builder, gc api.GC, goneOnly bool) error {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	header := "\nWHAT\tIMAGE\tID\tSIZE\tFREES\tLAST USED\tWHY"
	for _, image := range gc.Images {
		if goneOnly && !image.Remove {
			continue
		}
		if header != "" {
			fmt.Fprintln(table, header)
			header = ""
		}
		what, frees := "keep", "-"
		switch {
		case image.Error != "":
			what = "failed"
		case image.Remove && gc.Done:
			what, frees = "removed", bytesOf(image.Frees)
		case image.Remove:
			what, frees = "remove", bytesOf(image.Frees)
		}
		why := image.Rule + ": " + image.Reason
		if image.Error != "" {
			why = image.Error
		}
		fmt.Fprintln(table, strings.Join([]string{
			what, orDash(strings.Join(image.Names, " ")), api.ShortID(image.ID), bytesOf(image.Size), frees, ago(&image.LastUsed, gc.At), why,
		}, "\t"))
	}
	return table.Flush()
}

func printRest(b *strings.Builder, gc api.GC) {
	for _, c := range gc.Containers {
		switch {
		case c.Error != "":
			fmt.Fprintf(b, "container %s stays: %s\n", c.Name, c.Error)
		case gc.Done:
			fmt.Fprintf(b, "container %s removed: %s\n", c.Name, c.Reason)
		default:
			fmt.Fprintf(b, "container %s goes: %s\n", c.Name, c.Reason)
		}
	}
	for _, what := range gc.Removed {
		fmt.Fprintf(b, "%s removed\n", what)
	}
	for _, problem := range gc.Problems {
		fmt.Fprintf(b, "problem: %s\n", problem)
	}
	if len(gc.Holds) > 0 {
		still := "is still"
		if !gc.Done {
			still = "would still be"
		}
		fmt.Fprintf(b, "\nThe disk %s too full, and nothing more can be removed. What fills it:\n", still)
	}
	printHolds(b, gc.Holds)
}

func printHolds(b *strings.Builder, holds []api.GCHold) {
	for _, h := range holds {
		fmt.Fprintf(b, "  %-8s %s (%s)\n", bytesOf(h.Bytes), h.What, h.Cure)
	}
}

func bytesOf(n int64) string { return units.HumanSize(float64(n)) }
