package compose

import (
	"path"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/dockhost/dockhost/spec"
)

// environment returns "NAME=VALUE", sorted.
func (d *declaration) environment() []string {
	d.checkEnvironment()
	var env []string
	for name, value := range d.service.Environment {
		if value != nil {
			env = append(env, name+"="+*value)
		}
	}
	slices.Sort(env)
	return env
}

// checkEnvironment reports variables without a value. Compose takes these from the
// calling shell; a host has no such shell.
func (d *declaration) checkEnvironment() {
	const noValue = "no value, and a host has no environment to take it from: write NAME: VALUE, or NAME: \"\" for an empty value"
	for name, value := range d.field("environment").Fields() {
		if value.IsNull() {
			d.Errorf(value, noValue)
		}
		d.checkVariable(value, name)
	}
	for item := range d.items("environment") {
		name, _, found := strings.Cut(item.Text(), "=")
		if !found {
			d.Errorf(item, noValue)
		}
		d.checkVariable(item, name)
	}
}

func (d *declaration) checkVariable(at spot, name string) {
	if name == "" || strings.ContainsAny(name, "=\x00\n") {
		d.Errorf(at, "cannot use this as the name of an environment variable")
	}
}

func (d *declaration) envFiles() []spec.EnvFile {
	var files []spec.EnvFile
	for i, file := range d.service.EnvFiles {
		at := d.entry("env_file", i, len(d.service.EnvFiles))
		if !path.IsAbs(file.Path) {
			d.Errorf(at, "cannot use %q: write an absolute path, because a host has no project directory", document.Shorten(file.Path))
		}
		if file.Format != "" && file.Format != "raw" {
			d.Errorf(at, "unknown format %q: use raw, or leave it out", document.Shorten(file.Format))
		}
		files = append(files, spec.EnvFile{Path: file.Path, Required: bool(file.Required), Format: file.Format})
	}
	return files
}
