// Package preview checks user data before a host gets it: it finds problems and
// shows what would run. It uses the agent's and the supervisor's own code, and
// needs no root, no Docker and no systemd.
package preview

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec/gce"
)

// Input is user data or a Compose file.
type Input struct {
	// Name is the name that the user gave: a file, a seed directory, or "-".
	Name string

	// data is nil when the input cannot be read; findings then say why.
	data *cloudinit.UserData
	// dir goes before file names in messages.
	dir string
	// compose is true for a Compose file.
	compose  bool
	findings []Finding
}

// Open reads a file of user data, or a Compose file as in
// /etc/dockhost/containers; "-" is stdin. asCompose reads any file as a Compose
// file.
func Open(name string, stdin io.Reader, asCompose bool) (*Input, error) {
	text, err := read(name, stdin)
	if err != nil {
		return nil, err
	}
	dir, _ := filepath.Split(name)
	in := &Input{Name: name, dir: dir, compose: asCompose, data: &cloudinit.UserData{Datasource: "NoCloud", Path: name, Raw: text}}
	if !asCompose {
		in.detect()
	}
	return in, nil
}

// OpenSeed reads a directory with user-data and meta-data.
func OpenSeed(dir string) *Input {
	in := &Input{Name: dir, dir: strings.TrimSuffix(dir, "/") + "/"}
	var err error
	if in.data, err = datasource.Seed(dir); err != nil {
		in.findings = findings(err, in.dir, in.Name)
		return in
	}
	if in.data.InstanceID == "nocloud" {
		in.findings = []Finding{{
			Severity: Warning, File: in.dir + "meta-data", Line: 1, Column: 1, Path: "instance-id",
			Message: `missing, so every clone of the disk is the same instance "nocloud" (add a line such as instance-id: my-host)`,
		}}
	}
	return in
}

// read returns the content of a file, which may be a pipe.
func read(name string, stdin io.Reader) ([]byte, error) {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		stdin = file
	}
	text, err := io.ReadAll(io.LimitReader(stdin, cloudinit.MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > cloudinit.MaxSize {
		return nil, fmt.Errorf("read %q: larger than %d MiB", name, cloudinit.MaxSize>>20)
	}
	return text, nil
}

// detect finds out from the keys at the top whether a file without a
// cloud-init header is a Compose file. It warns about keys that a host would
// ignore.
func (in *Input) detect() {
	cloudConfig := bytes.HasPrefix(bytes.ToLower(bytes.TrimSpace(in.data.Raw)), []byte("#cloud-config"))
	top, err := document.Parse(in.Name, in.data.Raw)
	if err != nil {
		in.compose = !cloudConfig && beginsAsCompose(in.data.Raw)
		return
	}
	if top == nil || top.Kind != yaml.MappingNode {
		return // user data of another kind
	}
	at := document.Spot{Node: top}
	if at.Field("dockhost").Present() {
		return
	}
	for name, value := range at.Fields() {
		switch {
		case !cloudConfig && isComposeKey(name):
			in.compose = true
		case name == "containers":
			in.warn(value, "a host ignores this key here: indent it below dockhost:, and make #cloud-config the first line")
		case name == "services":
			in.warn(value, "this key belongs to Compose files: in user data, write containers: below dockhost:")
		}
	}
}

func isComposeKey(name string) bool { return name == "services" || name == "x-dockhost" }

// beginsAsCompose guesses from the first line of a file that is not valid YAML.
func beginsAsCompose(text []byte) bool {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line != "---" && !strings.HasPrefix(line, "#") {
			key, _, _ := strings.Cut(line, ":")
			return isComposeKey(key) || key == "name" || key == "version"
		}
	}
	return false
}

func (in *Input) warn(at document.Spot, message string) {
	line, column := at.Position()
	in.findings = append(in.findings, Finding{
		Severity: Warning, File: in.Name, Line: line, Column: column, Path: at.Path, Message: message,
	})
}

// parse reads the input as the agent would. The result is nil when a finding is
// an error.
func (in *Input) parse(ctx context.Context, o assignment.Options) (*assignment.Result, []Finding) {
	if in.data == nil {
		return nil, in.findings
	}
	var result *assignment.Result
	var err error
	if in.compose {
		result, err = assignment.ReadFile(ctx, filepath.Base(in.Name), in.data.Raw, in.directory())
	} else {
		result, err = assignment.Read(ctx, in.data, o)
	}
	switch {
	case err == nil && result.Unread != nil:
		err = result.Unread
	case err == nil && result.Section != nil && result.Section.Kind == "text/plain":
		err = in.notUserData()
	}
	if err != nil {
		return nil, in.adviseSeed(append(in.findings, findings(err, in.dir, in.file())...))
	}
	all := in.findings
	for _, warning := range result.Warnings {
		warning = strings.TrimPrefix(warning, filepath.Base(in.file())+": ") // the finding names the file already
		all = append(all, Finding{Severity: Warning, File: in.file(), Message: warning})
	}
	if result.Note != "" {
		all = append(all, Finding{Severity: Warning, File: in.file(), Message: result.Note + ": nothing would run"})
	}
	return result, all
}

// notUserData says what a file is that cloud-init would ignore.
func (in *Input) notUserData() error {
	if top, err := document.Parse(in.Name, in.data.Raw); err == nil && isDeclaration(top) {
		return fmt.Errorf("this is a container declaration of Google Compute Engine, or a description with one, and no user data (print it as user data: dockhostctl convert %s)", in.Name)
	}
	return errors.New("cloud-init ignores user data that starts like this: make #cloud-config the first line (a Compose file for /etc/dockhost/containers has services: at the top)")
}

// isDeclaration reports whether a document is a container declaration of Google
// Compute Engine, or the description of an instance or a template.
func isDeclaration(top *yaml.Node) bool {
	at := document.Spot{Node: top}
	return gce.Is(top) || at.Field("metadata").Field("items").IsList() || at.Field("properties").Field("metadata").Field("items").IsList()
}

// directory returns the directory of a Compose file; that of standard input is the
// working directory.
func (in *Input) directory() assignment.Directory {
	dir, err := filepath.Abs(in.dir)
	if err != nil {
		return assignment.Directory{}
	}
	return assignment.Directory{Path: dir, Files: os.DirFS(dir)}
}

// adviseSeed adds a hint when a template failed and there is no meta-data: on a
// host the template could use the instance's.
func (in *Input) adviseSeed(all []Finding) []Finding {
	isTemplate := func(f Finding) bool { return strings.HasPrefix(f.Message, "template: ") }
	if in.data.Metadata != nil || !slices.ContainsFunc(all, isTemplate) {
		return all
	}
	return append(all, Finding{
		Severity: Warning, File: in.file(),
		Message: "the template has no meta-data here (put the file into a directory as user-data, with a file meta-data, and use --seed)",
	})
}

// file returns the name of the file: the input itself, or the seed's user-data.
func (in *Input) file() string {
	if in.data == nil || in.dir == "" {
		return in.Name
	}
	return in.dir + filepath.Base(in.data.Path)
}
