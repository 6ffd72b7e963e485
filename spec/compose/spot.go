package compose

import (
	"fmt"
	"iter"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// spot is a place in the source: a value, the key that it belongs to, and the
// path that leads to it.
type spot struct {
	path string
	// key is nil in a list and at the top.
	key *yaml.Node
	// node is nil where nothing stands.
	node *yaml.Node
}

func (s spot) present() bool { return s.node != nil }

// position returns where the key stands, or the value where there is no key.
func (s spot) position() (line, column int) {
	for _, n := range []*yaml.Node{s.key, s.node} {
		if n != nil && n.Line > 0 {
			return n.Line, max(n.Column, 1)
		}
	}
	return 1, 1
}

func (s spot) kind() yaml.Kind {
	if s.node == nil {
		return 0
	}
	return s.node.Kind
}

func (s spot) isMapping() bool { return s.kind() == yaml.MappingNode }
func (s spot) isList() bool    { return s.kind() == yaml.SequenceNode }
func (s spot) isScalar() bool  { return s.kind() == yaml.ScalarNode }

func (s spot) isNull() bool {
	return s.isScalar() && s.node.ShortTag() == "!!null"
}

// text returns the scalar as it is written, "" for null and for anything else.
func (s spot) text() string {
	if !s.isScalar() || s.isNull() {
		return ""
	}
	return s.node.Value
}

// fields yields the keys and values of a mapping in the order of the source.
func (s spot) fields() iter.Seq2[string, spot] {
	return func(yield func(string, spot) bool) {
		if !s.isMapping() {
			return
		}
		for i := 0; i+1 < len(s.node.Content); i += 2 {
			key, value := s.node.Content[i], s.node.Content[i+1]
			if !yield(key.Value, spot{path: join(s.path, key.Value), key: key, node: value}) {
				return
			}
		}
	}
}

// field returns a value of a mapping. Where there is none the spot has the
// position of the mapping and is not present.
func (s spot) field(name string) spot {
	for key, value := range s.fields() {
		if key == name {
			return value
		}
	}
	key := s.key
	if key == nil {
		key = s.node
	}
	return spot{path: join(s.path, name), key: key}
}

// items yields the values of a list.
func (s spot) items() iter.Seq2[int, spot] {
	return func(yield func(int, spot) bool) {
		if !s.isList() {
			return
		}
		for i, node := range s.node.Content {
			if !yield(i, spot{path: fmt.Sprintf("%s[%d]", s.path, i), node: node}) {
				return
			}
		}
	}
}

// without returns the mapping without some of its keys.
func (s spot) without(drop func(string) bool) spot {
	if !s.isMapping() {
		return s
	}
	kept := *s.node
	kept.Content = nil
	for i := 0; i+1 < len(s.node.Content); i += 2 {
		if !drop(s.node.Content[i].Value) {
			kept.Content = append(kept.Content, s.node.Content[i], s.node.Content[i+1])
		}
	}
	s.node = &kept
	return s
}

// plainKey is a key that needs no quotes in a path.
var plainKey = regexp.MustCompile(`^[A-Za-z0-9_.:/-]+$`)

func join(path, key string) string {
	if !plainKey.MatchString(key) || len(key) > maxShown {
		key = strconv.Quote(shorten(key))
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// maxShown is how much of the user's own words a message repeats.
const maxShown = 120

func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return s[:maxShown] + "..."
}
