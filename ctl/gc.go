package ctl

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

// gcTimeout bounds one run of housekeeping: a slow disk takes long to remove
// images.
const gcTimeout = 30 * time.Minute

// gcFlags are the flags of dockhostctl gc.
type gcFlags struct {
	dryRun bool
	// explain is the name or ID of one image to report on.
	explain string
	json    bool
}

func (h Host) gcCommand() *cobra.Command {
	var flags gcFlags
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "remove unused images and containers",
		Long: `Removes unused images and containers, as the agent also does by itself from time
to time. It shows the reason for each image that it removes. With --dry-run it
removes nothing, and shows the reason for every image.

Exit status: 0 on success, 1 when something could not be removed or IMAGE does
not exist, 3 when the disk is still too full, 4 when the agent cannot be reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return h.gc(cmd.Context(), flags) },
	}
	cmd.Flags().BoolVarP(&flags.dryRun, "dry-run", "n", false, "remove nothing; show what would be removed, and why")
	cmd.Flags().StringVar(&flags.explain, "explain", "", "remove nothing; show why `IMAGE` (a name or an ID) stays or goes")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print JSON")
	return cmd
}

func (h Host) gc(ctx context.Context, flags gcFlags) error {
	ctx, cancel := context.WithTimeout(ctx, gcTimeout)
	defer cancel()
	gc, err := client.New(h.Socket).GC(ctx, !flags.dryRun && flags.explain == "")
	if err != nil {
		return err
	}
	if flags.explain != "" {
		gc.Images = slices.DeleteFunc(gc.Images, func(image api.GCImage) bool { return !names(image, flags.explain) })
		if len(gc.Images) == 0 {
			return fmt.Errorf("no image %q on this host (see: docker image ls)", flags.explain)
		}
	}
	if err := printGC(h.Out, gc, flags); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	switch {
	case len(gc.Problems) > 0:
		return &exitError{status: exitFailed}
	case len(gc.Holds) > 0 && flags.explain == "":
		return &exitError{status: exitNotWell}
	}
	return nil
}

// names reports whether a name means an image: the name is one of the image's
// references, with or without the registry and the tag, or its ID or at least
// the first 4 digits of that.
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

func printGC(out io.Writer, gc api.GC, flags gcFlags) error {
	if flags.json {
		return printJSON(out, gc)
	}
	var b strings.Builder
	explain := flags.explain != ""
	if !explain {
		printDisk(&b, gc)
	}
	if err := printImages(&b, gc, !explain && !flags.dryRun); err != nil {
		return err
	}
	if !explain {
		printRest(&b, gc)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func printDisk(b *strings.Builder, gc api.GC) {
	d := gc.Disk
	disks := []api.GCDisk{d}
	if gc.DockerDisk != nil {
		disks = append(disks, *gc.DockerDisk)
	}
	for _, d := range disks {
		fmt.Fprintf(b, "disk:    %s, %s, %d%% used (inodes: %d%%), %s free\n", d.Root, bytesOf(d.Size), d.Used, d.InodesUsed, bytesOf(d.Free))
	}
	fmt.Fprintf(b, "marks:   high %d%%, low %d%%", d.High, d.Low)
	if d.Wanted > 0 {
		fmt.Fprintf(b, ": must free %s", bytesOf(d.Wanted))
	}
	b.WriteString("\n")
	if gc.Off {
		b.WriteString("note:    automatic housekeeping is off (housekeeping in dockhost.yaml)\n")
	}
	if gc.Done {
		fmt.Fprintf(b, "freed:   %s\n", bytesOf(gc.Freed))
	} else {
		fmt.Fprintf(b, "frees:   %s\n", bytesOf(gc.Frees))
	}
}

// printImages prints a table of all images, or only of those that are removed.
func printImages(b *strings.Builder, gc api.GC, removedOnly bool) error {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	header := "\nWHAT\tIMAGE\tID\tSIZE\tFREES\tLAST USED\tWHY"
	for _, image := range gc.Images {
		if removedOnly && !image.Remove {
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
			fmt.Fprintf(b, "container %s not removed: %s\n", c.Name, c.Error)
		case gc.Done:
			fmt.Fprintf(b, "container %s removed: %s\n", c.Name, c.Reason)
		default:
			fmt.Fprintf(b, "container %s would be removed: %s\n", c.Name, c.Reason)
		}
	}
	for _, item := range gc.Removed {
		fmt.Fprintf(b, "%s removed\n", item)
	}
	for _, problem := range gc.Problems {
		fmt.Fprintf(b, "problem: %s\n", problem)
	}
	if len(gc.Holds) > 0 {
		verb := "is still"
		if !gc.Done {
			verb = "would still be"
		}
		fmt.Fprintf(b, "\nThe disk %s too full, and nothing more can be removed. What fills it:\n", verb)
	}
	printHolds(b, gc.Holds)
}

func printHolds(b *strings.Builder, holds []api.GCHold) {
	for _, h := range holds {
		fmt.Fprintf(b, "  %-8s %s (%s)\n", bytesOf(h.Bytes), h.What, h.Cure)
	}
}
