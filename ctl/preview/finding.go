package preview

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dockhost/dockhost/internal/document"
)

// Severity says what a finding means for the host.
type Severity string

const (
	// Error is what has the host refuse all of it.
	Error Severity = "error"
	// Warning is what the host takes, but may not be meant so.
	Warning Severity = "warning"
)

// Finding is one thing to say about an input.
type Finding struct {
	Severity Severity `json:"severity"`
	// File is named as the user named it.
	File string `json:"file"`
	// Line and Column count from 1; they are 0 for what has no place.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Path is where it stands: "containers.web.ports[0]", "" for the whole.
	Path    string `json:"path"`
	Message string `json:"message"`
}

// String returns "FILE:LINE:COLUMN PATH: MESSAGE", which editors jump to.
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

// findings makes one finding of each problem that an error holds. dir stands
// before the files that problems name, file for those without any.
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
	if !strings.Contains(name, "://") { // an address is whole
		name = dir + name
	}
	return []Finding{{Severity: Error, File: name, Line: problem.Line, Column: problem.Column, Path: problem.Path, Message: problem.Message}}
}

// hasErrors says whether the host would refuse what was found.
func hasErrors(found []Finding) bool {
	for _, f := range found {
		if f.Severity == Error {
			return true
		}
	}
	return false
}
