// Package document reads YAML that people write, and says everything that is
// wrong with it at once, with file, line, column and path. It knows nothing of
// what a document means, and never quotes a value: values may be secrets.
package document

import "sort"

// Source is where the lines of a tree come from. A tree that was made of
// several files, as the parts of user data are, has the lines of all of them,
// one file after the other.
type Source struct {
	parts []part
}

type part struct {
	file string
	// first is the line of the tree that is line 1 of the file.
	first int
}

// File is the source of a tree that was read from one file.
func File(name string) *Source {
	return &Source{parts: []part{{file: name, first: 1}}}
}

// Add appends a file whose first line is that line of the tree.
func (s *Source) Add(name string, first int) {
	s.parts = append(s.parts, part{file: name, first: first})
}

// Position returns the file and the line in it of a line of the tree.
func (s *Source) Position(line int) (file string, lineOfFile int) {
	i := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].first > line })
	if i == 0 {
		return "", line
	}
	p := s.parts[i-1]
	return p.file, line - p.first + 1
}
