package compose

import (
	"errors"
	"io/fs"
	"math"
	"path"
	"strconv"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// definition is a secret or config at the top of the source.
type definition struct {
	file spec.File
	// wrong is true when a problem was reported.
	wrong bool
}

// define reads what the services refer to.
func (r *report) define(secrets, configs, profiles spot) {
	r.sources.secrets = r.definitions(secrets)
	r.sources.configs = r.definitions(configs)
	r.sources.profiles = r.readProfiles(profiles)
}

// definitions reads the section secrets or configs.
func (r *report) definitions(section spot) map[string]definition {
	defined := map[string]definition{}
	if !section.Present() || section.IsNull() {
		return defined
	}
	if !section.IsMapping() {
		r.Errorf(section, "not a mapping: write NAME: {file: ...} below it, indented")
		return defined
	}
	if !r.sources.inFile {
		r.interpolate(section, nil)
	}
	for name, at := range section.Fields() {
		before := r.Len()
		file := r.definitionOf(at)
		defined[name] = definition{file: file, wrong: r.Len() > before || r.anyUnfilled(at)}
	}
	return defined
}

// anyUnfilled reports whether a value below has a variable without a value.
func (r *report) anyUnfilled(at spot) bool {
	for _, value := range at.Fields() {
		if r.unfilled[value.Node] {
			return true
		}
	}
	return false
}

// definitionOf reads one secret or config.
func (r *report) definitionOf(at spot) spec.File {
	var file spec.File
	if !at.IsMapping() {
		r.Errorf(at, "not a mapping: write file:, content:, environment: or credential: below it, indented")
		return file
	}
	ways := 0
	swarm := false
	for name, value := range at.Fields() {
		switch {
		case name == "external", name == "driver", name == "driver_opts", name == "template_driver":
			if name == "external" && value.Text() == "false" {
				continue
			}
			r.Errorf(value, "cannot use %q on a single host: this is for Swarm (use file:, content:, environment: or credential:)", name)
			swarm = true
			continue
		case name == "name", name == "labels", len(name) > 2 && name[:2] == "x-":
			continue
		case r.unfilled[value.Node]:
			ways++
			continue
		}
		switch name {
		case "file":
			file = r.fileContent(value)
		case "content":
			file.Content = []byte(r.text(value))
		case "environment":
			file.Content = []byte(r.variable(value))
		case "credential":
			file.Credential = r.matching(value, credentialName, "write the name of a systemd credential: letters, digits and _.-")
		default:
			r.UnknownKey(value, name, []string{"content", "credential", "environment", "file"}, "")
			continue
		}
		ways++
	}
	if ways != 1 && !swarm {
		r.Errorf(at, "write one of file:, content:, environment: and credential:")
	}
	if len(file.Content) > spec.MaxFile {
		r.Errorf(at, "larger than %d KiB", spec.MaxFile>>10)
	}
	return file
}

// fileContent returns the content of a file in the directory of the Compose file, so
// that a change of it changes the container. The supervisor reads other files.
func (r *report) fileContent(at spot) spec.File {
	name := at.Text()
	if !at.IsScalar() || !path.IsAbs(name) {
		r.Errorf(at, "cannot use this: write the absolute path of a file, because a host has no project directory")
		return spec.File{}
	}
	inside, found := r.sources.below(name)
	if !r.sources.inFile || !found {
		return spec.File{Path: path.Clean(name)}
	}
	raw, err := r.sources.read(inside, spec.MaxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Errorf(at, "no file %s", document.Shorten(name))
	case err != nil:
		r.Errorf(at, "cannot read %s: %v", document.Shorten(name), err)
	}
	return spec.File{Content: raw}
}

func (r *report) text(at spot) string {
	if !at.IsScalar() || at.IsNull() {
		r.Errorf(at, "not a text: write a string")
	}
	return at.Text()
}

// variable returns the value of a variable of .env.
func (r *report) variable(at spot) string {
	value, set := r.sources.vars[at.Text()]
	switch {
	case !r.sources.inFile:
		r.Errorf(at, "a host has no values for variables: use content:, file: or credential:")
	case !set:
		r.Errorf(at, "the file .env beside the Compose file has no variable of this name")
	}
	return value
}

// files returns the secrets and configs of the service.
func (d *declaration) files() []spec.File {
	var files []spec.File
	for i, secret := range d.service.Secrets {
		at := d.entry("secrets", i, len(d.service.Secrets))
		files = d.addFile(files, at, types.FileReferenceConfig(secret), d.sources.secrets, "secret")
	}
	for i, config := range d.service.Configs {
		at := d.entry("configs", i, len(d.service.Configs))
		files = d.addFile(files, at, types.FileReferenceConfig(config), d.sources.configs, "config")
	}
	return files
}

// addFile adds one secret or config.
func (d *declaration) addFile(files []spec.File, at spot, reference types.FileReferenceConfig, defined map[string]definition, kind string) []spec.File {
	found, known := defined[reference.Source]
	if !known {
		hint := ""
		var names []string
		for name := range defined {
			names = append(names, name)
		}
		if near := document.Nearest(reference.Source, names); near != "" {
			hint = " (did you mean \"" + near + "\"?)"
		}
		d.Errorf(at, "no %s %q is declared in %ss: at the top%s", kind, document.Shorten(reference.Source), kind, hint)
		return files
	}
	file := found.file
	file.Config = kind == "config"
	file.Target = path.Join("/", reference.Target)
	switch {
	case path.IsAbs(reference.Target):
	case reference.Target == "" && file.Config:
		file.Target = path.Join("/", reference.Source)
	case reference.Target == "":
		file.Target = path.Join("/run/secrets", reference.Source)
	case !file.Config:
		file.Target = path.Join("/run/secrets", reference.Target)
	}
	file.UID, file.GID = d.owner(at.Field("uid"), reference.UID), d.owner(at.Field("gid"), reference.GID)
	if reference.Mode != nil {
		if *reference.Mode <= 0 || *reference.Mode > 0o777 {
			d.Errorf(at.Field("mode"), "cannot use this as a mode: write octal permissions, such as 0440")
		} else {
			file.Mode = uint32(*reference.Mode)
		}
	}
	for _, other := range files {
		if other.Target == file.Target {
			d.Errorf(at, "another secret or config is already at %q", document.Shorten(file.Target))
		}
	}
	if file.Target == "/" {
		d.Errorf(at, "cannot mount at /: write the path of a file")
	}
	return append(files, file)
}

func (d *declaration) owner(at spot, id string) int {
	if id == "" {
		return 0
	}
	number, err := strconv.Atoi(id)
	if err != nil || number < 0 || number > math.MaxInt32 {
		d.Errorf(at, "cannot use this as a user or group: write its number")
	}
	return number
}
