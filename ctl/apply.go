package ctl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/ctl/preview"
	"github.com/dockhost/dockhost/internal/atomicfile"
)

// maxFile bounds a Compose file, as the agent does.
const maxFile = 1 << 20

func (h Host) applyCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "apply {FILE | -}",
		Short: "run the containers of a Compose file, now and after each reboot",
		Long: `Checks a Compose file, and puts a copy of it into /etc/dockhost/containers. The agent
runs its containers from then on, and replaces those that have changed. A file with a
mistake changes nothing: all mistakes are listed. To take it back, use dockhostctl rm
with the name of the file in that directory.

Exit status: 0 when the file is in place, 1 when it has a mistake or cannot be
written.`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(cmd *cobra.Command, args []string) error { return h.apply(cmd, args[0], name) },
	}
	cmd.Flags().StringVar(&name, "name", "", "call the copy `NAME`.yaml; standard input needs it")
	if err := cmd.RegisterFlagCompletionFunc("name", cobra.NoFileCompletions); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (h Host) apply(cmd *cobra.Command, file, name string) error {
	to, err := appliedName(file, name)
	if err != nil {
		return err
	}
	text, err := readLimited(file, cmd.InOrStdin())
	if err != nil {
		return err
	}
	in, err := preview.Open(file, bytes.NewReader(text), true)
	if err != nil {
		return err
	}
	report := preview.Validate(cmd.Context(), previewOptions(), in)
	if !report.Well {
		_ = report.Print(h.Err, h.Err)
		return &exitError{status: exitFailed}
	}
	path := filepath.Join(h.ContainersDir, to)
	if err := os.MkdirAll(h.ContainersDir, 0o755); err != nil { //nolint:gosec // the files have modes of their own
		return asRoot(err)
	}
	// Compose files may contain secrets.
	if err := atomicfile.WriteChanged(path, text, 0o600); err != nil {
		return asRoot(err)
	}
	report.Inputs[0].Name = path
	return report.Print(h.Out, h.Err)
}

// appliedName returns the name of a file in /etc/dockhost/containers.
func appliedName(file, name string) (string, error) {
	switch {
	case name == "" && file == "-":
		return "", errors.New("--name is missing: standard input has no name (add --name web)")
	case name == "":
		name = filepath.Base(file)
	}
	if !isFileName(name) {
		name += ".yaml"
	}
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("cannot use %q as a name: write one without / and not with a dot first", name)
	}
	return name, nil
}

// isFileName reports whether an argument names a file of /etc/dockhost/containers, and not
// a container.
func isFileName(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// readLimited returns the text of a file; "-" is in.
func readLimited(name string, in io.Reader) ([]byte, error) {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d KiB", name, maxFile>>10)
	}
	return text, err
}

// asRoot adds to an error of a user who may not change a file that root may.
func asRoot(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (only root may do this: use sudo)", err)
	}
	return err
}

// removeFile takes back a file that apply put into place. The agent stops its containers.
func (h Host) removeFile(name string, force bool) error {
	if name != filepath.Base(name) {
		return fmt.Errorf("cannot use %q: name a file in %s, without the directory", name, h.ContainersDir)
	}
	err := os.Remove(filepath.Join(h.ContainersDir, name))
	if errors.Is(err, fs.ErrNotExist) && force {
		return nil
	}
	return asRoot(err)
}
