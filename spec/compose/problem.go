package compose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in a declaration. It never holds the
// value of an environment variable or of a login.
type Problem struct {
	// File names the source: "user-data".
	File string
	// Line and Column count from 1.
	Line, Column int
	// Path is where the problem stands: "containers.web.ports[0]".
	Path string
	// Message says what is wrong and, if that is not plain, what to do.
	Message string
}

// Error returns "FILE:LINE:COLUMN PATH: MESSAGE".
func (p *Problem) Error() string {
	position := fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	if p.Path == "" {
		return position + ": " + p.Message
	}
	return position + " " + p.Path + ": " + p.Message
}

// Problems is everything that is wrong in a source, sorted by line.
type Problems []*Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns each problem, for errors.As.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(ps, func(a, b *Problem) bool { return *a == *b })
}

// report gathers the problems of one source.
type report struct {
	file     string
	problems Problems
}

// errorf notes a problem at a spot.
func (r *report) errorf(at spot, format string, args ...any) {
	line, column := at.position()
	r.problems = append(r.problems, &Problem{
		File: r.file, Line: line, Column: column, Path: at.path, Message: fmt.Sprintf(format, args...),
	})
}

// err returns the problems as an error, or nil when there are none.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return r.problems.sorted()
}
