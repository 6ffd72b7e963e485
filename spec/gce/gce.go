// Package gce understands the container declarations of Google Compute Engine:
// the metadata attribute gce-container-declaration, which konlet, Google's own
// agent, ran. A declaration becomes the `dockhost:` section that means the same,
// and that is read as any other: there is one path behind it. The package is
// pure, as spec/compose is.
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

// Note is something that differs from what konlet did.
type Note struct {
	// Line is where it stands in the declaration.
	Line int
	// Path is what it is about: "spec.volumes[0].hostPath.type".
	Path string
	Text string
}

// Conversion is a declaration as a `dockhost:` section.
type Conversion struct {
	// Section is the mapping below `dockhost:`, with the positions of the
	// declaration.
	Section *yaml.Node
	// Notes are in the order of the declaration.
	Notes []Note

	// paths holds the places in the declaration by the place in Section.
	paths map[position]string
}

type position struct{ line, column int }

// Is reports whether a document looks like a declaration rather than like
// user data.
func Is(top *yaml.Node) bool {
	if top == nil || top.Kind != yaml.MappingNode {
		return false
	}
	_, spec := document.LookUp(top, "spec")
	return spec != nil
}

// Parse turns a declaration into an assignment. source says where its lines come
// from. The error is a [document.Problems], with the declaration's own places.
func Parse(source *document.Source, node *yaml.Node) (*spec.Assignment, []Note, error) {
	made, err := Convert(source, node)
	if err != nil {
		return nil, nil, err
	}
	assignment, err := compose.Parse(source, made.Section)
	if err != nil {
		return nil, nil, made.relocate(err)
	}
	return assignment, made.Notes, nil
}

// Read is Parse for the text of a declaration, with the notes as sentences.
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
		lines = append(lines, fmt.Sprintf("%s:%d %s: %s", file, n.Line, n.Path, n.Text))
	}
	return assignment, lines, nil
}

// relocate names the declaration's places in what is wrong with the section.
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

// Convert turns a declaration into the section that means the same. What
// Compose's own library might refuse is left to that. The error is a
// [document.Problems].
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
	if err := c.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.Notes, func(a, b Note) int { return cmp.Compare(a.Line, b.Line) })
	return c.Conversion, nil
}
