package ctl

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec/cloudconfig"
	"github.com/dockhost/dockhost/spec/compose"
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

It reads two kinds of declarations. gce is the metadata attribute
gce-container-declaration of Google Compute Engine, alone or in the description of
an instance or an instance template (gcloud compute instances describe NAME
--format=json). compose is a Compose project in one file, without variables, as
docker compose config prints it.

Exit status: 0 on success, 1 when the declaration is wrong (every problem is
printed).`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, text, err := readDeclaration(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			converted, err := convert(from, file, text)
			if err != nil {
				return err
			}
			for _, warning := range converted.warnings {
				fmt.Fprintf(cmd.ErrOrStderr(), "dockhostctl: warning: %s\n", warning)
			}
			_, err = cmd.OutOrStdout().Write(converted.userData)
			return err
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the `KIND` of declaration: gce or compose (default: detected)")
	_ = cmd.RegisterFlagCompletionFunc("from", cobra.FixedCompletions([]string{"gce", "compose"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// converted is user data, with warnings about its source.
type converted struct {
	userData []byte
	warnings []string
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
// kind of declaration: "gce" or "compose", or "" to detect it.
func convert(from, file string, text []byte) (converted, error) {
	top, err := document.Parse(file, text)
	if err != nil {
		return converted{}, err
	}
	if described, isDescription, err := describedDeclaration(file, top); isDescription && from != "compose" {
		if err != nil {
			return converted{}, err
		}
		return convertGCE(described.file, described.top, described.warnings)
	}
	switch {
	case from == "gce", from == "" && gce.Is(top):
		return convertGCE(file, top, nil)
	case from == "compose", from == "" && isCompose(top):
		return convertCompose(file, top)
	case from != "":
		return converted{}, fmt.Errorf("--from %q: unknown kind of declaration (use gce or compose, or leave it out)", from)
	}
	return converted{}, notDeclaration(file, top)
}

func convertGCE(file string, top *yaml.Node, warnings []string) (converted, error) {
	source := document.File(file)
	// Parse also finds problems in the dockhost section that Convert would write.
	if _, _, err := gce.Parse(source, top); err != nil {
		return converted{}, err
	}
	conversion, err := gce.Convert(source, top)
	if err != nil {
		return converted{}, err
	}
	for _, n := range conversion.Notes {
		if n.Warning {
			warnings = append(warnings, n.In(file))
		}
	}
	userData, err := conversion.CloudConfig()
	return converted{userData, warnings}, err
}

func isCompose(top *yaml.Node) bool { return document.Spot{Node: top}.Field("services").Present() }

func convertCompose(file string, top *yaml.Node) (converted, error) {
	source := document.File(file)
	section, left, err := compose.Section(source, top)
	if err != nil {
		return converted{}, err
	}
	for i := range left {
		left[i] = "left out " + left[i]
	}
	userData, err := cloudconfig.Write(section, "Converted from a Compose project.", left...)
	if err != nil {
		return converted{}, err
	}
	if _, err := compose.Parse(source, section); err != nil {
		return converted{}, inServices(err)
	}
	return converted{userData: userData}, nil
}

// inServices names the places of problems as in a Compose file.
func inServices(err error) error {
	problems, ok := errors.AsType[document.Problems](err)
	if !ok {
		return err
	}
	for _, p := range problems {
		if path, found := strings.CutPrefix(p.Path, "containers"); found {
			p.Path = "services" + path
		}
	}
	return problems
}

func notDeclaration(file string, top *yaml.Node) error {
	if top != nil && top.Kind == yaml.MappingNode {
		if key, _ := document.LookUp(top, "dockhost"); key != nil {
			return document.ProblemAt(file, key, "nothing to convert: this is user data with a dockhost section")
		}
	}
	return fmt.Errorf("%s: not a known declaration: one of Google's has spec: with containers: below it, and a Compose file has services: (use --from gce or --from compose to see what is wrong with it)", file)
}
