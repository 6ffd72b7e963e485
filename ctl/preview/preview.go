// Package preview says what user data comes to before a host has it: what is
// wrong with it, and what would run. It needs no root, no Docker and no
// systemd, and judges by the agent's and the supervisor's own code.
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
)

// Input is something that a host could be given.
type Input struct {
	// Name is what the user called it: a file, a seed directory, "-".
	Name string

	data *cloudinit.UserData
	// dir is what stands before the names of files in messages.
	dir string
	// compose says that it is a Compose file.
	compose  bool
	findings []Finding
}

// Open reads a file of user data, or a Compose file as those in
// /etc/dockhost/containers; "-" is stdin. asCompose takes it for the latter in
// any case.
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
			Message: `there is none, so that the instance counts as "nocloud", and a clone of its disk as the same one (add a line such as instance-id: my-host)`,
		}}
	}
	return in
}

// read returns a whole file, which may be a pipe.
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

// detect finds out, by the keys at the top, whether a file without a header of
// cloud-init's is a Compose file, and warns of what a host would not look at.
func (in *Input) detect() {
	cloudConfig := bytes.HasPrefix(bytes.ToLower(bytes.TrimSpace(in.data.Raw)), []byte("#cloud-config"))
	top, err := document.Parse(in.Name, in.data.Raw)
	if err != nil {
		in.compose = !cloudConfig && beginsAsCompose(in.data.Raw)
		return
	}
	if top == nil || top.Kind != yaml.MappingNode {
		return // user data, of whatever kind
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
			in.warn(value, "this stands below dockhost:, indented, and above that #cloud-config is the first line")
		case name == "services":
			in.warn(value, "this is how a Compose file has it: write containers: below dockhost:")
		case document.Nearest(name, []string{"dockhost"}) != "":
			in.warn(value, `nobody knows this key (did you mean "dockhost"?)`)
		}
	}
}

func isComposeKey(name string) bool { return name == "services" || name == "x-dockhost" }

// beginsAsCompose is for a file in which something is no YAML.
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

// take has the input taken as the agent would take it. It returns what that
// comes to, nil where something is wrong, and all that there is to say.
func (in *Input) take(ctx context.Context, o assignment.Options) (*assignment.Result, []Finding) {
	if in.data == nil {
		return nil, in.findings
	}
	var result *assignment.Result
	var err error
	if in.compose {
		result, err = assignment.ReadFile(ctx, filepath.Base(in.Name), in.data.Raw)
	} else {
		result, err = assignment.Read(ctx, in.data, o)
	}
	switch {
	case err == nil && result.Unread != nil:
		err = result.Unread
	case err == nil && result.Section != nil && result.Section.Kind == "text/plain":
		err = errors.New("cloud-init knows no user data that begins so, and ignores it: the first line must be #cloud-config (a Compose file for /etc/dockhost/containers has services: at the top)")
	}
	if err != nil {
		return nil, in.adviseSeed(append(in.findings, findings(err, in.dir, in.file())...))
	}
	found := in.findings
	for _, warning := range result.Warnings {
		warning = strings.TrimPrefix(warning, filepath.Base(in.file())+": ") // which stands before it anyway
		found = append(found, Finding{Severity: Warning, File: in.file(), Message: warning})
	}
	if result.Note != "" {
		found = append(found, Finding{Severity: Warning, File: in.file(), Message: result.Note + ": nothing would run"})
	}
	return result, found
}

// adviseSeed adds what to do about a template, which a file alone has not the
// meta-data for that a host would have.
func (in *Input) adviseSeed(found []Finding) []Finding {
	isTemplate := func(f Finding) bool { return strings.HasPrefix(f.Message, "template: ") }
	if in.data.Metadata != nil || !slices.ContainsFunc(found, isTemplate) {
		return found
	}
	return append(found, Finding{
		Severity: Warning, File: in.file(),
		Message: "there is no meta-data for the template here: put the file into a directory as user-data, beside a meta-data, and read that with --seed",
	})
}

// file is what is read first: the file itself, or a seed's user-data.
func (in *Input) file() string {
	if in.data == nil || in.dir == "" {
		return in.Name
	}
	return in.dir + filepath.Base(in.data.Path)
}
