package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

const (
	// maxEnvFile bounds a file .env, and maxIncluded a Compose file that another one
	// includes or extends.
	maxEnvFile  = 1 << 20
	maxIncluded = 1 << 20
	// maxFiles is how many Compose files one may include or extend, directly or not.
	maxFiles = 64
)

// projectVariable is a variable that Compose sets to the name of the project.
const projectVariable = "COMPOSE_PROJECT_NAME"

// Directory is the directory of a Compose file. The zero value has no files.
type Directory struct {
	// Path is its absolute path on the host. Relative paths count from there.
	Path string
	// Files has its files.
	Files fs.FS
}

// sources are the files of a Compose file, and its sections besides the services
// and those of the project.
type sources struct {
	// inFile is true for a Compose file, false for user data.
	inFile bool
	source *document.Source
	dir    Directory
	// vars are those of the directory's .env.
	vars variables
	// opened has the Compose files that were read, by their paths in the directory.
	opened map[string]*composeFile
	// resets and replaces have the keys whose values have the tag !reset and
	// !override.
	resets, replaces map[*yaml.Node]bool
	// notExtended has the services whose extends cannot be applied.
	notExtended map[*yaml.Node]bool
	// secrets and configs are the definitions at the top.
	secrets, configs map[string]definition
	// profiles are active.
	profiles []string
	// warnings are about services that are left out.
	warnings []string
}

// composeFile is a Compose file of a project.
type composeFile struct {
	// name is its path in the directory, "" for the file itself.
	name string
	top  spot
	vars variables
}

// base returns the directory of the file, in the directory of the project.
func (f *composeFile) base() string { return path.Dir(path.Join(".", f.name)) }

// assemble fills in the variables of a Compose file, makes its paths absolute, and
// applies extends and include. It returns the file as one tree.
func (r *report) assemble(source *document.Source, top spot, project string, dir Directory) spot {
	p := &r.sources
	p.inFile, p.source, p.dir, p.opened = true, source, dir, map[string]*composeFile{}
	p.notExtended = map[*yaml.Node]bool{}
	p.vars = r.envFile(top, ".env", false)
	p.vars[projectVariable] = project
	if name, err := p.vars.substitute(top.Field("name").Text()); err == nil && name != "" {
		p.vars[projectVariable] = name
	}
	f := &composeFile{top: top, vars: p.vars}
	r.prepare(f)
	r.include(f, nil)
	r.extendAll(f)
	return f.top
}

// resolveTags removes the tags !reset and !override, which are Compose's, and
// remembers their keys.
func (r *report) resolveTags(n *yaml.Node) {
	if r.sources.resets == nil {
		r.sources.resets, r.sources.replaces = map[*yaml.Node]bool{}, map[*yaml.Node]bool{}
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			key := n.Content[i-1]
			switch child.Tag {
			case "!reset":
				r.sources.resets[key] = true
				*child = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: child.Line, Column: child.Column}
			case "!override":
				r.sources.replaces[key] = true
				child.Tag = ""
				if child.Kind == yaml.ScalarNode {
					child.Tag = "!!str"
				}
			}
		}
		r.resolveTags(child)
	}
}

// read returns a file of the directory. name is its path there.
func (p *sources) read(name string, limit int64) ([]byte, error) {
	if p.dir.Files == nil {
		return nil, fmt.Errorf("%q: %w", name, fs.ErrNotExist)
	}
	file, err := p.dir.Files.Open(name)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, errors.Unwrap(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	raw, err := io.ReadAll(io.LimitReader(file, limit+1))
	switch {
	case err != nil:
		return nil, errors.New("it cannot be read")
	case int64(len(raw)) > limit:
		return nil, fmt.Errorf("larger than %d KiB", limit>>10)
	}
	return raw, nil
}

// below returns the path in the directory of a path of the host, and false for one
// that is not in there.
func (p *sources) below(name string) (string, bool) {
	inside, found := strings.CutPrefix(path.Clean(name), strings.TrimSuffix(p.dir.Path, "/")+"/")
	return inside, found && fs.ValidPath(inside)
}

// envFile reads a file of variables. Its errors do not quote lines, which may be
// secrets.
func (r *report) envFile(at spot, name string, required bool) variables {
	raw, err := r.sources.read(name, maxEnvFile)
	if errors.Is(err, fs.ErrNotExist) && !required {
		return variables{}
	}
	if err != nil {
		r.Errorf(at, "cannot read %s: %v", document.Shorten(name), err)
		return variables{}
	}
	vars, err := dotenv.ParseWithLookup(bytes.NewReader(raw), func(string) (string, bool) { return "", false })
	if err != nil {
		r.Errorf(at, "cannot read %s: its lines are not NAME=VALUE", document.Shorten(name))
		return variables{}
	}
	return vars
}

// openFile returns another Compose file, which at names.
func (r *report) openFile(at spot, from *composeFile, name string, vars variables) *composeFile {
	p := &r.sources
	inside := path.Join(from.base(), name)
	if path.IsAbs(name) {
		inside, _ = p.below(name)
	}
	switch {
	case strings.Contains(name, "://"), strings.HasPrefix(name, "git@"), strings.HasPrefix(name, "oci:"):
		r.Errorf(at, "cannot fetch a Compose file: put it into the directory of this file")
		return nil
	case !fs.ValidPath(inside) || inside == ".":
		r.Errorf(at, "cannot use a file outside of the directory of this file: put %q into that directory", document.Shorten(name))
		return nil
	case p.opened[inside] != nil:
		return p.opened[inside]
	case len(p.opened) >= maxFiles:
		r.Errorf(at, "more than %d files", maxFiles)
		return nil
	}
	text, err := p.read(inside, maxIncluded)
	if err != nil {
		r.Errorf(at, "cannot read %q: %v", document.Shorten(name), err)
		return nil
	}
	main, _ := p.source.Position(1)
	node, err := p.source.Parse(&document.Origin{File: path.Join(path.Dir(main), inside)}, text)
	if err != nil {
		r.Errorf(at, "cannot use %q: %v", document.Shorten(name), err)
		return nil
	}
	if node == nil {
		node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	r.resolveTags(node)
	f := &composeFile{name: inside, vars: vars}
	if f.top.Node = r.Resolve(spot{Node: node}); f.top.Node == nil || !f.top.IsMapping() {
		r.Errorf(at, "cannot use %q: not a Compose file", document.Shorten(name))
		return nil
	}
	p.opened[inside] = f
	r.prepare(f)
	return f
}

// prepare fills in the variables of a file, and makes its paths absolute.
func (r *report) prepare(f *composeFile) {
	known := serviceKeys().With("extends", document.Keys{})
	dir := path.Join("/", r.sources.dir.Path, f.base())
	for section, value := range f.top.Fields() {
		switch section {
		case "services":
			for _, service := range value.Fields() {
				for key, part := range service.Fields() {
					if known.Has(key) {
						r.interpolate(part, f.vars)
					}
				}
				fillEnvironment(service.Field("environment"), f.vars)
				absolutePaths(service, dir)
			}
		case "secrets", "configs":
			r.interpolate(value, f.vars)
			for _, one := range value.Fields() {
				absolute(one.Field("file"), dir)
			}
		case "include", "networks", "volumes":
			r.interpolate(value, f.vars)
		}
	}
}

// fillEnvironment gives variables without a value the one of .env.
func fillEnvironment(at spot, vars variables) {
	for name, value := range at.Fields() {
		if filled, set := vars[name]; set && value.IsNull() {
			value.Node.Tag, value.Node.Value = "!!str", filled
		}
	}
	for _, item := range at.Items() {
		if filled, set := vars[item.Text()]; set {
			item.Node.Value += "=" + filled
		}
	}
}

// absolutePaths makes the paths of a service absolute.
func absolutePaths(service spot, dir string) {
	for _, volume := range service.Field("volumes").Items() {
		source := volume.Field("source")
		switch {
		case volume.IsScalar() && strings.HasPrefix(volume.Node.Value, "."):
			source, rest, found := strings.Cut(volume.Node.Value, ":")
			if found {
				volume.Node.Value = path.Join(dir, source) + ":" + rest
			}
		case volume.Field("type").Text() == "bind" && !strings.HasPrefix(source.Text(), "~"):
			absolute(source, dir)
		}
	}
	files := service.Field("env_file")
	absolute(files, dir)
	for _, file := range files.Items() {
		absolute(file, dir)
		absolute(file.Field("path"), dir)
	}
}

// absolute makes a path absolute.
func absolute(at spot, dir string) {
	if text := at.Text(); text != "" && !path.IsAbs(text) {
		at.Node.Value = path.Join(dir, text)
	}
}
