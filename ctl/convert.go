package ctl

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec/gce"
)

func convertCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "convert [FILE|-]",
		Short: "convert another program's declaration to user data",
		Long: `Reads another program's container declaration, from FILE or from standard input,
and prints equivalent user data. Comments in it explain what differs. The command
needs no root, no Docker, no systemd and no agent.

It reads one kind of declaration. gce is the metadata attribute
gce-container-declaration of Google Compute Engine.

Exit status: 0 on success, 1 when the declaration is wrong (every problem is
printed).`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, text, err := readDeclaration(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			userData, err := convert(from, file, text)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(userData)
			return err
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the `KIND` of declaration: gce (default: detected)")
	return cmd
}

// readDeclaration reads the file that the arguments name, or stdin. It returns
// the name of the file for messages.
func readDeclaration(stdin io.Reader, args []string) (file string, text []byte, err error) {
	file, in := "stdin", stdin
	if len(args) == 1 && args[0] != "-" {
		opened, err := os.Open(args[0])
		if err != nil {
			return "", nil, err
		}
		defer opened.Close()
		file, in = args[0], opened
	}
	text, err = io.ReadAll(io.LimitReader(in, cloudinit.MaxSize+1))
	if err == nil && len(text) > cloudinit.MaxSize {
		err = fmt.Errorf("%s: larger than %d MiB", file, cloudinit.MaxSize>>20)
	}
	return file, text, err
}

// convert returns user data that is equivalent to a declaration. from is the
// kind of declaration: "gce", or "" to detect it.
func convert(from, file string, text []byte) ([]byte, error) {
	top, err := document.Parse(file, text)
	if err != nil {
		return nil, err
	}
	switch {
	case from != "" && from != "gce":
		return nil, fmt.Errorf("--from %q: unknown kind of declaration (use gce, or leave it out)", from)
	case from == "" && !gce.Is(top):
		return nil, notDeclaration(file, top)
	}
	source := document.File(file)
	// Parse also finds problems in the dockhost section that Convert would write.
	if _, _, err := gce.Parse(source, top); err != nil {
		return nil, err
	}
	converted, err := gce.Convert(source, top)
	if err != nil {
		return nil, err
	}
	return converted.CloudConfig()
}

func notDeclaration(file string, top *yaml.Node) error {
	if top != nil && top.Kind == yaml.MappingNode {
		if key, _ := document.LookUp(top, "dockhost"); key != nil {
			return document.ProblemAt(file, key, "nothing to convert: this is user data with a dockhost section")
		}
	}
	return fmt.Errorf("%s: not a known declaration: one of Google's has spec: with containers: below it (use --from gce to see what is wrong with it)", file)
}
