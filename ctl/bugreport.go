package ctl

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/doctor/bugreport"
)

func (h Host) bugreportCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "bugreport [-o FILE]",
		Short: "write a file with all that is needed to find a fault",
		Long: `Writes the findings of doctor, the status, versions, units, configurations,
journals of dockhost and Docker, and what Docker says of itself and of the containers
into a tar.gz file. Secrets are masked; user data and the output of containers are
left out. It lists the content before it writes, and never replaces a file. Look into
the file before you send it.

Exit status: 0 when the file is written, 1 when not.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return h.bugreport(cmd.Context(), file) },
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to this `FILE`; otherwise into this directory")
	return cmd
}

func (h Host) bugreport(ctx context.Context, file string) error {
	// A file that exists is refused at once, and not after seconds.
	if _, err := os.Lstat(file); file != "" && err == nil {
		return existsError(file)
	}
	report, err := h.Bugreport(ctx, h.anyStatus)
	if err != nil {
		return err
	}
	name := "dockhost-bugreport-" + report.ID
	if file == "" {
		file = name + ".tar.gz"
	}
	table := tabwriter.NewWriter(h.Out, 0, 0, 2, ' ', 0)
	for _, f := range report.Files {
		fmt.Fprintf(table, "%s\t%s\n", f.Name, bytesOf(int64(len(f.Text))))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("list the content: %w", err)
	}
	if err := writeReport(file, name, report.Files); err != nil {
		return err
	}
	fmt.Fprintf(h.Out, "\nwritten: %s\nid:      %s\n", file, report.ID)
	return nil
}

func existsError(file string) error {
	return fmt.Errorf("%s exists, and is not replaced (remove it, or name another file with -o)", file)
}

// writeReport writes a tar.gz that only its owner can read, with the files in a directory
// of this name. It leaves no file if it fails.
func writeReport(file, directory string, files []bugreport.File) error {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return existsError(file)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	err = errors.Join(writeTar(out, directory, files), out.Close())
	if err != nil {
		return fmt.Errorf("write the report: %w", errors.Join(err, os.Remove(file)))
	}
	return nil
}

func writeTar(out io.Writer, directory string, files []bugreport.File) error {
	packed := gzip.NewWriter(out)
	archive := tar.NewWriter(packed)
	now := time.Now()
	for _, file := range files {
		header := &tar.Header{Name: path.Join(directory, file.Name), Mode: 0o600, Size: int64(len(file.Text)), ModTime: now}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(file.Text); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), packed.Close())
}
