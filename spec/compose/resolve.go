package compose

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	// maxNodes is how large a source may be once its aliases are followed.
	maxNodes = 100_000
	// maxDepth is how deep it may nest.
	maxDepth = 64
)

// resolver copies a YAML tree so that the rest of the package sees mappings,
// lists and scalars only: aliases are followed and merge keys are applied.
type resolver struct {
	*report
	left int
}

// resolve returns the tree below a spot, or nil when it is too large to be
// read at all.
func (r *report) resolve(at spot) *yaml.Node {
	copier := &resolver{report: r, left: maxNodes}
	node := copier.node(at, 0)
	if copier.left < 0 {
		r.errorf(at, "too large once its aliases are followed: write it out with fewer aliases")
		return nil
	}
	return node
}

func (r *resolver) node(at spot, depth int) *yaml.Node {
	n := at.node
	if r.left--; r.left < 0 {
		return scalar(n, "!!null", "")
	}
	if depth > maxDepth {
		r.errorf(at, "nested too deeply")
		return scalar(n, "!!null", "")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.node(spot{path: at.path, key: at.key, node: n.Alias}, depth+1)
	case yaml.MappingNode:
		return r.mapping(at, depth)
	case yaml.SequenceNode:
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: n.Line, Column: n.Column}
		for _, item := range at.items() {
			list.Content = append(list.Content, r.node(item, depth+1))
		}
		return list
	case yaml.ScalarNode:
		return r.scalar(at)
	case yaml.DocumentNode, yaml.StreamNode:
	}
	r.errorf(at, "not a value")
	return scalar(n, "!!null", "")
}

func (r *resolver) mapping(at spot, depth int) *yaml.Node {
	mapping := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: at.node.Line, Column: at.node.Column}
	var merges []spot
	seen := map[string]bool{}
	for name, value := range at.fields() {
		switch {
		case value.key.Kind != yaml.ScalarNode:
			r.errorf(spot{path: at.path, node: value.key}, "this key is not a word")
		case value.key.ShortTag() == "!!merge":
			merges = append(merges, value)
		case seen[name]:
			r.errorf(value, "this key stands twice: keep one of them")
		default:
			seen[name] = true
			mapping.Content = append(mapping.Content, value.key, r.node(value, depth+1))
		}
	}
	for _, merge := range merges {
		r.merge(mapping, merge, seen, depth)
	}
	return mapping
}

// merge adds the keys of what a merge key ("<<") names, where the mapping has
// not got them: https://yaml.org/type/merge.html.
func (r *resolver) merge(into *yaml.Node, at spot, seen map[string]bool, depth int) {
	from := spot{path: strings.TrimSuffix(at.path, `."<<"`), key: at.key, node: r.node(at, depth+1)}
	sources := []spot{from}
	if from.isList() {
		sources = nil
		for _, item := range from.items() {
			sources = append(sources, item)
		}
	}
	for _, source := range sources {
		if !source.isMapping() {
			r.errorf(at, "only a mapping can be merged")
			continue
		}
		for name, value := range source.fields() {
			if !seen[name] {
				seen[name] = true
				into.Content = append(into.Content, value.key, value.node)
			}
		}
	}
}

func (r *resolver) scalar(at spot) *yaml.Node {
	tag := at.node.ShortTag()
	switch tag {
	case "!!timestamp": // a date is text to Compose
		tag = "!!str"
	case "!!str", "!!int", "!!float", "!!bool", "!!null":
		var value any
		if at.node.Decode(&value) != nil {
			r.errorf(at, "this value does not fit its tag")
			tag = "!!str"
		}
	default:
		if tag != "!!merge" { // a plain "<<" that is no key
			r.errorf(at, "cannot use this YAML tag")
		}
		tag = "!!str"
	}
	return scalar(at.node, tag, at.node.Value)
}

func scalar(n *yaml.Node, tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value, Line: n.Line, Column: n.Column}
}

// plain returns a resolved tree as compose-go takes it, with each "$" of a
// value doubled when escape is set.
func plain(n *yaml.Node, escape bool) any {
	if n.Kind == yaml.MappingNode {
		mapping := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			mapping[n.Content[i].Value] = plain(n.Content[i+1], escape)
		}
		return mapping
	}
	if n.Kind == yaml.SequenceNode {
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = plain(item, escape)
		}
		return list
	}
	return plainScalar(n, escape)
}

func plainScalar(n *yaml.Node, escape bool) any {
	if n.Tag == "!!str" {
		if escape {
			return strings.ReplaceAll(n.Value, "$", "$$")
		}
		return n.Value
	}
	var value any
	if n.Decode(&value) != nil {
		return n.Value
	}
	return value
}
