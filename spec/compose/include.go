package compose

import (
	"maps"
	"path"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// maxTrail is how many files may include one another, or services extend one
// another.
const maxTrail = 16

// include adds the sections of the files that a file includes. trail has the files
// that lead to it.
func (r *report) include(f *composeFile, trail []string) {
	at := f.top.Field("include")
	if !at.Present() || at.IsNull() {
		return
	}
	if !at.IsList() {
		r.Errorf(at, "not a list: write - FILE below it, indented")
		return
	}
	for _, item := range at.Items() {
		name := r.includedName(item)
		if name.Text() == "" {
			continue
		}
		inside := path.Join(f.base(), name.Text())
		if slices.Contains(trail, inside) || inside == f.name || len(trail) > maxTrail {
			r.Errorf(item, "these files include each other in a circle")
			continue
		}
		if part := r.openFile(name, f, name.Text(), r.includedVariables(item, f, path.Dir(inside))); part != nil {
			r.include(part, append(trail, inside))
			r.extendAll(part)
			r.addSections(f, part, item)
		}
	}
	f.top = f.top.Without(func(key string) bool { return key == "include" })
}

// includedName returns where an entry of include names its file.
func (r *report) includedName(item spot) spot {
	if item.IsScalar() {
		return item
	}
	before := r.Len()
	item = r.Check(item, document.Only("path", "env_file"))
	name := item.Field("path")
	if files := slices.Collect(maps.Values(maps.Collect(name.Items()))); len(files) == 1 {
		name = files[0]
	}
	if name.Text() == "" && r.Len() == before {
		r.Errorf(item, "not the name of one file: write path: FILE")
	}
	return name
}

// includedVariables returns the variables of a part: those of the whole, and the
// others of its own .env.
func (r *report) includedVariables(item spot, f *composeFile, dir string) variables {
	vars := variables{}
	files := item.Field("env_file")
	switch {
	case files.IsScalar():
		maps.Copy(vars, r.envFile(files, path.Join(f.base(), files.Text()), true))
	case files.IsList():
		for _, file := range files.Items() {
			maps.Copy(vars, r.envFile(file, path.Join(f.base(), file.Text()), true))
		}
	default:
		maps.Copy(vars, r.envFile(item, path.Join(dir, ".env"), false))
	}
	maps.Copy(vars, f.vars)
	return vars
}

// addSections adds what a part declares.
func (r *report) addSections(f, part *composeFile, item spot) {
	for name, section := range part.top.Fields() {
		switch name {
		case "services", "volumes", "networks", "secrets", "configs":
			r.addSection(f, section, name, item)
		case "x-dockhost":
			r.Errorf(section, "cannot stand in a file that is included: write it into the file that includes this one")
		}
	}
}

func (r *report) addSection(f *composeFile, section spot, name string, item spot) {
	into := f.top.Field(name)
	if !into.Present() || into.IsNull() {
		f.top = f.top.Without(func(key string) bool { return key == name })
		f.top.Node.Content = append(slices.Clone(f.top.Node.Content), section.Key, &yaml.Node{
			Kind: yaml.MappingNode, Tag: "!!map", Line: section.Node.Line, Column: section.Node.Column,
		})
		into = f.top.Field(name)
	}
	for key, value := range section.Fields() {
		switch known := into.Field(key); {
		case known.Present() && known.Node == value.Node: // included twice
		case known.Present():
			r.Errorf(item, "the included file declares %s, which is declared already: rename one of them", document.Join(name, key))
		default:
			into.Node.Content = append(into.Node.Content, value.Key, value.Node)
		}
	}
}
