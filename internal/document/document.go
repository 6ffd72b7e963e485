// Package document reads YAML that people write, and reports all problems at
// once, with file, line, column and path. It knows nothing of what a document
// means, and never quotes a value: values may be secrets.
package document

import (
	"bytes"
	"sort"

	"go.yaml.in/yaml/v4"
)

// Source maps the lines of a tree to files. The tree of several files, such as
// the parts of user data, numbers the lines of one file after the other.
type Source struct {
	parts []part
	// next is the line of the tree for the next text of Parse.
	next int
}

type part struct {
	file string
	// first is the line of the tree that is this line of the file.
	first, line int
}

// maxLines is more than the lines of any file.
const maxLines = 16 << 20

// File is the source of a tree that was read from one file. More files may follow
// with Parse.
func File(name string) *Source {
	return &Source{parts: []part{{file: name, first: 1, line: 1}}, next: maxLines}
}

// Add appends a file whose first line is that line of the tree.
func (s *Source) Add(name string, first int) {
	s.parts = append(s.parts, part{file: name, first: first, line: 1})
}

// Position returns the file and the line in it of a line of the tree.
func (s *Source) Position(line int) (file string, lineOfFile int) {
	i := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].first > line })
	if i == 0 {
		return "", line
	}
	p := s.parts[i-1]
	return p.file, line - p.first + p.line
}

// Origin says where a text comes from: the beginning of a file, a place further
// down in it, or lines of a file that a template rendered.
type Origin struct {
	File string
	// Line and Column are where the text begins in the file, from 1; 0 is 1.
	// The whole text is indented by Column.
	Line, Column int
	// Lines has the line of the text's origin for each of its lines, from 1;
	// nil is 1, 2, 3.
	Lines []int
}

// Position returns the line and column in the file of those in the text.
func (o *Origin) Position(line, column int) (lineOfFile, columnOfFile int) {
	if len(o.Lines) > 0 {
		line = o.Lines[min(max(line, 1), len(o.Lines))-1]
	}
	return line + max(o.Line, 1) - 1, column + max(o.Column, 1) - 1
}

// Parse parses one of several texts, like the function Parse. The lines of the
// tree that it returns are those of the source.
func (s *Source) Parse(o *Origin, text []byte) (*yaml.Node, error) {
	top, err := ParseAt(o, text)
	if err != nil || top == nil {
		return nil, err
	}
	base := max(s.next, 1)
	lines := 1 + bytes.Count(text, []byte("\n"))
	s.next = base + lines
	if len(o.Lines) == 0 {
		line, _ := o.Position(1, 1)
		s.parts = append(s.parts, part{file: o.File, first: base, line: line})
	}
	for i := range o.Lines { // runs of lines that follow each other
		if i > 0 && o.Lines[i] == o.Lines[i-1]+1 {
			continue
		}
		line, _ := o.Position(i+1, 1)
		s.parts = append(s.parts, part{file: o.File, first: base + i, line: line})
	}
	shift(top, base-1, max(o.Column, 1)-1, map[*yaml.Node]bool{})
	return top, nil
}

// shift moves all nodes of a tree down and to the right.
func shift(n *yaml.Node, lines, columns int, done map[*yaml.Node]bool) {
	if done[n] {
		return
	}
	done[n] = true
	n.Line += lines
	n.Column += columns
	if n.Alias != nil {
		shift(n.Alias, lines, columns, done)
	}
	for _, child := range n.Content {
		shift(child, lines, columns, done)
	}
}
