package preview

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/document"
)

// Severity is what a finding means for a host.
type Severity string

const (
	// Error means that a host refuses the whole input.
	Error Severity = "error"
	// Warning means that a host accepts the input, but it may not do what its
	// author wants.
	Warning Severity = "warning"
)

// Finding is one problem of an input.
type Finding struct {
	Severity Severity `json:"severity"`
	// File has the name that the user gave.
	File string `json:"file"`
	// Line and Column count from 1. They are 0 for a finding about the whole
	// file.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Path is the place in the document: "containers.web.ports[0]", or "" for
	// the whole document.
	Path    string `json:"path"`
	Message string `json:"message"`
}

// String returns "FILE:LINE:COLUMN PATH: MESSAGE". Editors can jump to that
// place.
func (f Finding) String() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	if f.Path != "" {
		place += " " + f.Path
	}
	if f.Severity == Warning {
		place += ": warning"
	}
	return place + ": " + f.Message
}

// findings returns a finding for each problem in an error. It puts dir before
// the file names in problems, and uses file for problems that name none.
func findings(err error, dir, file string) []Finding {
	var parts []error
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		parts = many.Unwrap()
	} else if problems, ok := errors.AsType[document.Problems](err); ok {
		parts = problems.Unwrap()
	}
	if len(parts) > 0 {
		var all []Finding
		for _, part := range parts {
			all = append(all, findings(part, dir, file)...)
		}
		return all
	}
	problem, ok := errors.AsType[*document.Problem](err)
	if !ok {
		var all []Finding
		for line := range strings.SplitSeq(err.Error(), "\n") {
			all = append(all, Finding{Severity: Error, File: file, Message: line})
		}
		return all
	}
	name := problem.File
	if !strings.Contains(name, "://") { // a URL is complete
		name = dir + name
	}
	return []Finding{{Severity: Error, File: name, Line: problem.Line, Column: problem.Column, Path: problem.Path, Message: problem.Message}}
}

// hasErrors reports whether a host would refuse the input.
func hasErrors(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Severity == Error })
}
