// Package gce reads the container declarations of Google Compute Engine: the
// metadata attribute gce-container-declaration, which Google's agent konlet ran.
// It converts a declaration to an equivalent `dockhost:` section, which is then
// parsed like any other. Like spec/compose, the package is pure.
package gce

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/compose"
)

// Attribute is the name of the metadata attribute, and of the file in messages.
const Attribute = "gce-container-declaration"

// Note is a difference from what konlet did.
type Note struct {
	// Line is the line in the declaration.
	Line int
	// Path is the place in the declaration: "spec.volumes[0].hostPath.type".
	Path string
	Text string
	// Warning is true for a key that is likely a mistake.
	Warning bool
}

// In returns "FILE:LINE PATH: TEXT" for the declaration in a file.
func (n Note) In(file string) string {
	return fmt.Sprintf("%s:%d %s: %s", file, n.Line, n.Path, n.Text)
}

// Conversion is a declaration that was converted to a `dockhost:` section.
type Conversion struct {
	// Section is the mapping below `dockhost:`, with the positions of the
	// declaration.
	Section *yaml.Node
	// Notes are in the order of the declaration.
	Notes []Note

	// paths maps positions in Section to paths in the declaration.
	paths map[position]string
}

type position struct{ line, column int }

// Is reports whether a document looks like a declaration.
func Is(top *yaml.Node) bool {
	if top == nil || top.Kind != yaml.MappingNode {
		return false
	}
	_, spec := document.LookUp(top, "spec")
	return spec != nil
}

// Parse converts a declaration to an assignment. source knows where its lines come
// from. The error is a [document.Problems] with places in the declaration.
func Parse(source *document.Source, node *yaml.Node) (*spec.Assignment, []Note, error) {
	conversion, err := Convert(source, node)
	if err != nil {
		return nil, nil, err
	}
	assignment, err := compose.Parse(source, conversion.Section)
	if err != nil {
		return nil, nil, conversion.relocate(err)
	}
	return assignment, conversion.Notes, nil
}

// Read is [Parse] for the text of a declaration. It returns the notes as lines.
func Read(file string, text []byte) (*spec.Assignment, []string, error) {
	top, err := document.Parse(file, text)
	if err != nil {
		return nil, nil, err
	}
	assignment, notes, err := Parse(document.File(file), top)
	if err != nil {
		return nil, nil, err
	}
	lines := []string{"taken from " + file}
	for _, n := range notes {
		lines = append(lines, n.In(file))
	}
	return assignment, lines, nil
}

// relocate replaces the paths in problems of the section by those in the
// declaration.
func (c *Conversion) relocate(err error) error {
	var problems document.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for _, p := range problems {
		if path, found := c.paths[position{p.Line, p.Column}]; found {
			p.Path = path
		} else {
			p.Path = "spec"
		}
	}
	return problems
}

// Convert converts a declaration to an equivalent section. It does not check what
// spec/compose checks. The error is a [document.Problems].
func Convert(source *document.Source, node *yaml.Node) (*Conversion, error) {
	c := &converter{
		Report:     document.NewReport(source, nil),
		Conversion: &Conversion{paths: map[position]string{}},
	}
	top := document.Spot{Node: node}
	if node == nil {
		top.Node = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: 1, Column: 1}
	} else if top.Node = c.Resolve(top); top.Node == nil {
		return nil, c.Err()
	}
	c.declaration(top)
	if c.Len() > 0 {
		for _, m := range c.mistakes {
			c.Errorf(m.at, "%s", m.text)
		}
		return nil, c.Err()
	}
	slices.SortStableFunc(c.Notes, func(a, b Note) int { return cmp.Compare(a.Line, b.Line) })
	return c.Conversion, nil
}
