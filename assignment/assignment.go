// Package assignment turns the user data of a host into the containers to run. The
// agent uses it, and so do dockhostctl's validate and render: what passes there passes
// on the host. It fetches no user data, reads no files and starts nothing. Its errors
// contain no value of the user data.
package assignment

import (
	"context"
	"fmt"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/compose"
)

// Policy restricts what user data may ask for.
type Policy interface {
	// Check returns everything in the assignment that is not allowed.
	Check(assignment *spec.Assignment) error
	// Grant returns an allowed assignment with what applies each time a container
	// starts. It does not change its argument.
	Grant(assignment *spec.Assignment) *spec.Assignment
}

// Options say how user data is read.
type Options struct {
	// Include fetches the address of an #include, see [cloudinit.Options]. With
	// nil, includes are off.
	Include func(ctx context.Context, url string) ([]byte, error)
	// Policy judges the assignment in [Read]. Nil allows everything.
	Policy Policy
	// Declaration parses [cloudinit.UserData.Declaration], and returns a warning
	// for each part that it leaves out. It is used where the user data has no
	// dockhost section. With nil the declaration is ignored.
	Declaration func(file string, raw []byte) (assignment *spec.Assignment, warnings []string, err error)
}

// Result is what user data, or a Compose file, assigns.
type Result struct {
	// Assignment is empty when nothing is assigned. It is nil only with an error.
	Assignment *spec.Assignment
	// Section describes the user data; nil for [ReadFile].
	Section *cloudinit.Section
	// Note says why nothing is assigned, "" when something may be.
	Note string
	// Warnings are one sentence each: something was left out, or does not do what
	// its name suggests.
	Warnings []string
	// Unread says why the user data may contain an assignment that was not read;
	// nil when all of it was read. Such user data must not end what was assigned
	// before.
	Unread error
}

// Read is the whole way from user data to an assignment: [Parse], then
// [Result.Judge] with the policy of the options.
func Read(ctx context.Context, data *cloudinit.UserData, o Options) (*Result, error) {
	result, err := Parse(ctx, data, o)
	if err != nil {
		return result, err
	}
	return result.Judge(o.Policy)
}

// Parse returns what user data assigns, whatever the policy. It may fetch
// includes, so the agent keeps the result, and judges it again whenever the
// policy may have changed. The error has every mistake: [document.Problems], or a
// [*document.Problem] where there is a position. With an error the result has only
// the Section, as far as it was read.
func Parse(ctx context.Context, data *cloudinit.UserData, o Options) (*Result, error) {
	section, err := data.Section(ctx, cloudinit.Options{Include: o.Include})
	if err != nil {
		return &Result{Section: section}, err
	}
	result := &Result{Section: section, Assignment: &spec.Assignment{}, Warnings: section.Warnings}
	switch {
	case section.Node != nil:
		result.Assignment, err = compose.Parse(section.Source, section.Node) //nolint:contextcheck // compose-go's loader takes a context and waits for nothing
	case data.Declaration != nil && o.Declaration != nil:
		var warnings []string
		result.Assignment, warnings, err = o.Declaration("gce-container-declaration", data.Declaration)
		result.Warnings = append(result.Warnings, warnings...)
	case section.Opaque:
		result.Unread = fmt.Errorf("%s: it includes others, and includes are off: what they hold is not known (user_data.include in dockhost.yaml turns them on)", section.File)
		result.Note = noSection(section)
	case section.Kind == "":
		result.Note = "the user data is empty"
	default:
		result.Note = noSection(section)
	}
	if err != nil {
		return &Result{Section: section}, err
	}
	result.Warnings = append(result.Warnings, result.Assignment.Warnings...)
	return result, nil
}

func noSection(section *cloudinit.Section) string {
	return "the user data (" + section.Kind + ") has no dockhost section"
}

// Judge returns the result when the policy allows the assignment; a nil policy
// allows everything. With the policy's error the result has only the Section.
func (r *Result) Judge(policy Policy) (*Result, error) {
	if policy == nil {
		return r, nil
	}
	if err := policy.Check(r.Assignment); err != nil {
		return &Result{Section: r.Section}, err
	}
	judged := *r
	judged.Assignment = policy.Grant(r.Assignment)
	return &judged, nil
}

// Directory is the directory of a Compose file, with the files beside it.
type Directory = compose.Directory

// ReadFile returns what a Compose file declares, such as one in
// /etc/dockhost/containers. Messages name the file by name. No policy applies:
// only root can write there.
// dir is the directory of the file.
func ReadFile(_ context.Context, name string, text []byte, dir Directory) (*Result, error) {
	top, err := document.Parse(name, text)
	if err != nil {
		return nil, err
	}
	result := &Result{}
	if top == nil || document.IsNull(top) {
		result.Note = "the file is empty"
	}
	result.Assignment, err = compose.ParseFile(document.File(name), top, compose.ProjectName(name), dir) //nolint:contextcheck // compose-go's loader takes a context and waits for nothing
	if err != nil {
		return nil, err
	}
	result.Warnings = result.Assignment.Warnings
	return result, nil
}
