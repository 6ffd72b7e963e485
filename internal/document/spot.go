package document

import (
	"fmt"
	"iter"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// Spot is a place in the source: a value, the key that it belongs to, and the
// path that leads to it.
type Spot struct {
	Path string
	// Key is nil in a list and at the top.
	Key *yaml.Node
	// Node is nil if the Spot is not present.
	Node *yaml.Node
}

// Present reports whether there is a value.
func (s Spot) Present() bool { return s.Node != nil }

// Position returns the position of the key, or of the value if it has no key.
func (s Spot) Position() (line, column int) {
	for _, n := range []*yaml.Node{s.Key, s.Node} {
		if n != nil && n.Line > 0 {
			return n.Line, max(n.Column, 1)
		}
	}
	return 1, 1
}

// Kind is the value's kind, 0 if it is not present.
func (s Spot) Kind() yaml.Kind {
	if s.Node == nil {
		return 0
	}
	return s.Node.Kind
}

// IsMapping reports whether the value is a mapping.
func (s Spot) IsMapping() bool { return s.Kind() == yaml.MappingNode }

// IsList reports whether the value is a list.
func (s Spot) IsList() bool { return s.Kind() == yaml.SequenceNode }

// IsScalar reports whether the value is a scalar.
func (s Spot) IsScalar() bool { return s.Kind() == yaml.ScalarNode }

// IsNull reports whether the value is null: "~", or nothing after the key.
func (s Spot) IsNull() bool {
	return s.IsScalar() && s.Node.ShortTag() == "!!null"
}

// Text returns the scalar as it is written, "" for null and for anything else.
func (s Spot) Text() string {
	if !s.IsScalar() || s.IsNull() {
		return ""
	}
	return s.Node.Value
}

// Fields yields the keys and values of a mapping in the order of the source.
func (s Spot) Fields() iter.Seq2[string, Spot] {
	return func(yield func(string, Spot) bool) {
		if !s.IsMapping() {
			return
		}
		for i := 0; i+1 < len(s.Node.Content); i += 2 {
			key, value := s.Node.Content[i], s.Node.Content[i+1]
			if !yield(key.Value, Spot{Path: Join(s.Path, key.Value), Key: key, Node: value}) {
				return
			}
		}
	}
}

// Field returns a value of a mapping. The Spot of a missing key is not present
// and has the position of the mapping.
func (s Spot) Field(name string) Spot {
	if s.IsMapping() {
		for i := 0; i+1 < len(s.Node.Content); i += 2 {
			if key := s.Node.Content[i]; key.Value == name {
				return Spot{Path: Join(s.Path, name), Key: key, Node: s.Node.Content[i+1]}
			}
		}
	}
	key := s.Key
	if key == nil {
		key = s.Node
	}
	return Spot{Path: Join(s.Path, name), Key: key}
}

// Items yields the values of a list.
func (s Spot) Items() iter.Seq2[int, Spot] {
	return func(yield func(int, Spot) bool) {
		if !s.IsList() {
			return
		}
		for i, node := range s.Node.Content {
			if !yield(i, Spot{Path: fmt.Sprintf("%s[%d]", s.Path, i), Node: node}) {
				return
			}
		}
	}
}

// Without returns the mapping without some of its keys.
func (s Spot) Without(drop func(string) bool) Spot {
	if !s.IsMapping() {
		return s
	}
	kept := *s.Node
	kept.Content = nil
	for i := 0; i+1 < len(s.Node.Content); i += 2 {
		if !drop(s.Node.Content[i].Value) {
			kept.Content = append(kept.Content, s.Node.Content[i], s.Node.Content[i+1])
		}
	}
	s.Node = &kept
	return s
}

// plainKey is a key that needs no quotes in a path.
var plainKey = regexp.MustCompile(`^[A-Za-z0-9_.:/-]+$`)

// Join returns the path of a key in a mapping.
func Join(path, key string) string {
	if !plainKey.MatchString(key) || len(key) > maxShown {
		key = strconv.Quote(Shorten(key))
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// maxShown is how many bytes of the user's text a message quotes.
const maxShown = 120

// Shorten bounds the user's text that a message quotes.
func Shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return s[:maxShown] + "..."
}
