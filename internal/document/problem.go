package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one error in a document.
type Problem struct {
	// File names the source: "user-data".
	File string
	// Line and Column count from 1.
	Line, Column int
	// Path is where the problem stands: "containers.web.ports[0]". It is ""
	// where the document as a whole cannot be read.
	Path string
	// Message says what is wrong and, where it helps, what to do.
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

// Problems are all errors in a source, sorted by line.
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

// Report gathers the problems of one document.
type Report struct {
	source *Source
	// cure returns why a key cannot be used, and what to do instead.
	cure     func(path string) string
	problems []noted
	// count is the number of all problems, also of those that are left out.
	count int
}

// maxProblems is how many problems a report has.
const maxProblems = 1000

// noted is a problem with its line in the tree, for sorting.
type noted struct {
	*Problem
	line int
}

// NewReport returns an empty report. cure returns why a key cannot be used, by
// its path without the items of lists ("deploy.mode"), or "" for a key that is
// simply unknown. It may be nil.
func NewReport(source *Source, cure func(path string) string) *Report {
	if cure == nil {
		cure = func(string) string { return "" }
	}
	return &Report{source: source, cure: cure}
}

// Errorf notes a problem at a spot.
func (r *Report) Errorf(at Spot, format string, args ...any) {
	if r.count++; r.count > maxProblems {
		return
	}
	line, column := at.Position()
	file, inFile := r.source.Position(line)
	r.problems = append(r.problems, noted{line: line, Problem: &Problem{
		File: file, Line: inFile, Column: column, Path: at.Path, Message: fmt.Sprintf(format, args...),
	}})
}

// Len returns how many problems were noted.
func (r *Report) Len() int { return r.count }

// Err returns what was noted as Problems, sorted, or nil. If there are very many,
// the last one says how many are left out.
func (r *Report) Err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b noted) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.Column, b.Column))
	})
	var problems Problems
	for _, p := range r.problems {
		if len(problems) == 0 || *problems[len(problems)-1] != *p.Problem {
			problems = append(problems, p.Problem)
		}
	}
	if more := r.count - len(r.problems); more > 0 {
		last := *problems[len(problems)-1]
		last.Path, last.Message = "", fmt.Sprintf("there are %d more problems, which are not listed", more)
		problems = append(problems, &last)
	}
	return problems
}
