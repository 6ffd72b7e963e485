package document

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	// maxResolved is how large a tree may be once its aliases are followed.
	maxResolved = 100_000
	// maxResolvedDepth is how deep it may nest then.
	maxResolvedDepth = 64
)

// resolver copies a YAML tree to one of mappings, lists and scalars only: it
// follows aliases and applies merge keys.
type resolver struct {
	*Report
	left int
}

// Resolve returns the tree below a Spot, or nil when it is too large to be
// read at all.
func (r *Report) Resolve(at Spot) *yaml.Node {
	copier := &resolver{Report: r, left: maxResolved}
	node := copier.node(at, 0)
	if copier.left < 0 {
		r.Errorf(at, "too large once its aliases are followed: write it out with fewer aliases")
		return nil
	}
	return node
}

func (r *resolver) node(at Spot, depth int) *yaml.Node {
	n := at.Node
	if r.left--; r.left < 0 {
		return scalar(n, "!!null", "")
	}
	if depth > maxResolvedDepth {
		r.Errorf(at, "nested too deeply")
		return scalar(n, "!!null", "")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.node(Spot{Path: at.Path, Key: at.Key, Node: n.Alias}, depth+1)
	case yaml.MappingNode:
		return r.mapping(at, depth)
	case yaml.SequenceNode:
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: n.Line, Column: n.Column}
		for _, item := range at.Items() {
			list.Content = append(list.Content, r.node(item, depth+1))
		}
		return list
	case yaml.ScalarNode:
		return r.scalar(at)
	case yaml.DocumentNode, yaml.StreamNode:
	}
	r.Errorf(at, "not a value")
	return scalar(n, "!!null", "")
}

func (r *resolver) mapping(at Spot, depth int) *yaml.Node {
	mapping := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: at.Node.Line, Column: at.Node.Column}
	var merges []Spot
	seen := map[string]bool{}
	for name, value := range at.Fields() {
		switch {
		case value.Key.Kind != yaml.ScalarNode:
			r.Errorf(Spot{Path: at.Path, Node: value.Key}, "this key is not a word")
		case value.Key.ShortTag() == "!!merge":
			merges = append(merges, value)
		case seen[name]:
			r.Errorf(value, "this key stands twice: keep one of them")
		default:
			seen[name] = true
			mapping.Content = append(mapping.Content, value.Key, r.node(value, depth+1))
		}
	}
	for _, merge := range merges {
		r.merge(mapping, merge, seen, depth)
	}
	return mapping
}

// merge adds the keys of the mappings below a merge key ("<<") that the mapping
// itself lacks: https://yaml.org/type/merge.html.
func (r *resolver) merge(into *yaml.Node, at Spot, seen map[string]bool, depth int) {
	from := Spot{Path: strings.TrimSuffix(at.Path, `."<<"`), Key: at.Key, Node: r.node(at, depth+1)}
	sources := []Spot{from}
	if from.IsList() {
		sources = nil
		for _, item := range from.Items() {
			sources = append(sources, item)
		}
	}
	for _, source := range sources {
		if !source.IsMapping() {
			r.Errorf(at, "only a mapping can be merged")
			continue
		}
		for name, value := range source.Fields() {
			if !seen[name] {
				seen[name] = true
				into.Content = append(into.Content, value.Key, value.Node)
			}
		}
	}
}

func (r *resolver) scalar(at Spot) *yaml.Node {
	tag := at.Node.ShortTag()
	switch tag {
	case "!!timestamp": // a date is text, as in Compose
		tag = "!!str"
	case "!!str", "!!int", "!!float", "!!bool", "!!null":
		var value any
		if at.Node.Decode(&value) != nil {
			r.Errorf(at, "this value does not fit its tag")
			tag = "!!str"
		}
	default:
		if tag != "!!merge" { // a plain "<<" that is a value
			r.Errorf(at, "cannot use this YAML tag")
		}
		tag = "!!str"
	}
	return scalar(at.Node, tag, at.Node.Value)
}

func scalar(n *yaml.Node, tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value, Line: n.Line, Column: n.Column}
}
