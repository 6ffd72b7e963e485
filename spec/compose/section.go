package compose

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// Section converts a Compose file to the mapping below `dockhost:` in user data,
// with the positions of the file, and says what it left out. The result is not
// checked: [Parse] does that. The file must be complete, as docker compose config
// prints it: no variables, and no files beside it. The error is a
// [document.Problems].
func Section(source *document.Source, node *yaml.Node) (section *yaml.Node, left []string, err error) {
	r := newReport(source)
	top := spot{Node: node}
	if node != nil {
		top.Node = r.Resolve(top)
	}
	if err := r.Err(); err != nil {
		return nil, nil, err
	}
	if !top.Field("services").IsMapping() {
		r.Errorf(top, "not a Compose file: write services: and NAME: below it, indented")
		return nil, nil, r.Err()
	}
	services := r.withoutDefaultNetwork(top)
	section = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}
	put := func(name string, at spot) {
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: at.Key.Line, Column: at.Key.Column}
		section.Content = append(section.Content, key, at.Node)
	}
	for name, at := range top.Fields() {
		r.filledIn(at)
		switch {
		case name == "services":
			put("containers", services)
		case name == "x-dockhost":
			for key, value := range at.Fields() {
				put(key, value)
			}
		case name == "name" && !r.needsProject(top):
			left = append(left, "name: nothing in the project is named after it")
		case name == "networks" && r.onlyDefaultNetwork(top):
			left = append(left, "networks: the project has no network but its own")
		case name == "version":
		case strings.HasPrefix(name, "x-"):
			left = append(left, name+": dockhost has no use for it")
		case name == "include":
			r.Errorf(at, "convert the output of docker compose config, which has the included files in it")
		default:
			put(name, at)
		}
	}
	return section, left, r.Err()
}

// filledIn reports the variables that have no value.
func (r *report) filledIn(at spot) {
	if at.IsScalar() && strings.Contains(at.Node.Value, "$") {
		if _, err := (variables{}).substitute(at.Node.Value); err != nil {
			r.Errorf(at, "a variable without a value (convert the output of docker compose config, which fills it in, or write $$ for a literal $)")
		}
	}
	for _, value := range at.Fields() {
		r.filledIn(value)
	}
	for _, item := range at.Items() {
		r.filledIn(item)
	}
}

// onlyDefaultNetwork reports whether the project declares no network but the one
// that it has anyway.
func (r *report) onlyDefaultNetwork(top spot) bool {
	for name, network := range top.Field("networks").Fields() {
		if name != "default" {
			return false
		}
		for key, value := range network.Fields() {
			own := key == "name" && value.Text() == top.Field("name").Text()+"_default"
			if !own && key != "ipam" || key == "ipam" && len(value.Node.Content) > 0 {
				return false
			}
		}
	}
	return true
}

// withoutDefaultNetwork returns the services without the line that puts each into
// the project's own network: they are in it anyway.
func (r *report) withoutDefaultNetwork(top spot) spot {
	services := top.Field("services")
	if !r.onlyDefaultNetwork(top) {
		return services
	}
	copied := *services.Node
	copied.Content = slices.Clone(copied.Content)
	for i := 1; i < len(copied.Content); i += 2 {
		service := spot{Node: copied.Content[i]}
		if isDefault(service.Field("networks")) {
			copied.Content[i] = service.Without(func(key string) bool { return key == "networks" }).Node
		}
	}
	services.Node = &copied
	return services
}

// isDefault reports whether a service's networks are the default one, with nothing
// said about it.
func isDefault(networks spot) bool {
	found := false
	for name, settings := range networks.Fields() {
		if name != "default" || !settings.IsNull() {
			return false
		}
		found = true
	}
	for _, item := range networks.Items() {
		if item.Text() != "default" {
			return false
		}
		found = true
	}
	return found
}

// needsProject reports whether anything is named after the project: the network of
// several services, or a volume, network, config or secret without a name of its
// own.
func (r *report) needsProject(top spot) bool {
	services := top.Field("services")
	if len(services.Node.Content) > 2 { // a key and a value for each
		return true
	}
	for _, kind := range []string{"volumes", "networks", "configs", "secrets"} {
		if kind == "networks" && r.onlyDefaultNetwork(top) {
			continue
		}
		for _, at := range top.Field(kind).Fields() {
			if !at.Field("name").Present() {
				return true
			}
		}
	}
	return false
}
