package compose

import (
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// ParseFile converts a Compose file to an assignment. Each service is a
// container; x-dockhost.registries has the logins. project is the name of the
// project unless the file has one, such as [ProjectName]. A nil node is an empty
// file. The file may name other files in its directory. The error is a
// [document.Problems].
func ParseFile(source *document.Source, node *yaml.Node, project string, dir Directory) (*spec.Assignment, error) {
	r := newReport(source)
	assignment := &spec.Assignment{Containers: []spec.Container{}}
	top := spot{Node: node}
	if node != nil {
		r.resolveTags(node)
		top.Node = r.Resolve(top)
	}
	if top.Node == nil || top.IsNull() {
		return assignment, r.Err()
	}
	if !top.IsMapping() {
		r.Errorf(top, "not a Compose file: write services: and NAME: below it, indented")
		return nil, r.Err()
	}
	top = r.assemble(source, top, project, dir)
	r.define(top.Field("secrets"), top.Field("configs"), top.Field("x-dockhost").Field("profiles"))
	r.project = r.readProject(top, project)
	for name, section := range top.Fields() {
		switch name {
		case "services":
			assignment.Containers = r.containers(section)
		case "x-dockhost":
			r.Check(section, document.Only("profiles", "registries"))
			assignment.Registries = r.registries(section.Field("registries"))
		case "secrets", "configs": // were read before
		case "name", "networks", "version", "volumes": // of the project, and the old format version
		default:
			r.topLevelKey(section, name)
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	assignment.Warnings = r.sources.warnings
	giveCredentials(assignment)
	return assignment, nil
}

// topLevelKey reports a key of a Compose file that has no use on a host.
func (r *report) topLevelKey(at spot, name string) {
	switch {
	case len(name) > 2 && name[:2] == "x-":
	case name == "models":
		r.Errorf(at, "cannot use %q on a single host: run the model in a container of its own", name)
	case name == "containers", name == "dockhost":
		r.Errorf(at, "unknown key %q: in a Compose file, write services:", name)
	default:
		r.UnknownKey(at, name, []string{"configs", "include", "name", "networks", "secrets", "services", "volumes", "x-dockhost"}, "")
	}
}
