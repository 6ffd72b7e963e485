// Package assignment is the one way from what a datasource handed over to what the
// host is to run: the agent goes it, and so do dockhostctl's validate and
// render, so that what passes there passes on the host. It finds no user data
// and puts nothing in force. Its errors hold no value of the user data.
package assignment

import (
	"context"
	"fmt"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/compose"
)

// Policy restricts what may be asked for.
type Policy interface {
	// Check returns everything that the assignment asks for and may not have.
	Check(assignment *spec.Assignment) error
}

// Options say how user data is taken.
type Options struct {
	// Include fetches what an #include names, see [cloudinit.Options]; with nil
	// includes are off.
	Include func(ctx context.Context, url string) ([]byte, error)
	// Policy is asked about what is assigned; nil allows everything.
	Policy Policy
	// Declaration makes an assignment of [cloudinit.UserData.Declaration], and
	// says what it left out. It is used where the user data has no dockhost
	// section; with nil such a declaration is noted and not used.
	Declaration func(file string, raw []byte) (assignment *spec.Assignment, warnings []string, err error)
}

// Result is what user data comes to.
type Result struct {
	// Assignment is never nil; it is empty when nothing is assigned.
	Assignment *spec.Assignment
	// Section is what was found in the user data; nil for [ReadFile].
	Section *cloudinit.Section
	// Note says why nothing is assigned, "" when something may be.
	Note string
	// Warnings are one sentence each: what was left out, or is not as it looks.
	Warnings []string
	// Unread says why the user data may hold an assignment that was not looked
	// for; nil when all of it was understood. What was assigned before must not
	// end because of such user data.
	Unread error
}

// Read returns what user data assigns. The error holds everything that is
// wrong: [document.Problems] or a [*document.Problem] where it has a place. With
// an error the result has nothing but the Section, as far as that was read.
func Read(ctx context.Context, data *cloudinit.UserData, o Options) (*Result, error) {
	section, err := data.Section(ctx, cloudinit.Options{Include: o.Include})
	if err != nil {
		return &Result{Section: section}, err
	}
	result := &Result{Section: section, Assignment: &spec.Assignment{}, Warnings: section.Warnings}
	switch {
	case section.Node != nil:
		result.Assignment, err = compose.Parse(section.Source, section.Node) //nolint:contextcheck // compose-go's loader takes a context and waits for nothing
	case data.Declaration != nil && o.Declaration != nil:
		var leftOut []string
		result.Assignment, leftOut, err = o.Declaration("gce-container-declaration", data.Declaration)
		result.Warnings = append(result.Warnings, leftOut...)
	case section.Opaque:
		result.Unread = fmt.Errorf("%s: it includes others, and includes are off: what they hold is not known (user_data.include in dockhost.yaml turns them on)", section.File)
		result.Note = noSection(section)
	case section.Kind == "":
		result.Note = "the user data is empty"
	default:
		result.Note = noSection(section)
	}
	return result.allowedBy(o.Policy, err)
}

func noSection(section *cloudinit.Section) string {
	return "the user data (" + section.Kind + ") has no dockhost section"
}

// ReadFile returns what a Compose file declares, as those in
// /etc/dockhost/containers. name is the file's in messages. No policy is asked:
// whoever may write there is root.
func ReadFile(_ context.Context, name string, text []byte) (*Result, error) {
	top, err := document.Parse(name, text)
	if err != nil {
		return nil, err
	}
	result := &Result{}
	if top == nil || document.IsNull(top) {
		result.Note = "the file is empty"
	}
	result.Assignment, err = compose.ParseFile(document.File(name), top) //nolint:contextcheck // compose-go's loader takes a context and waits for nothing
	if err != nil {
		return nil, err
	}
	return result, nil
}

// allowedBy returns the result of a reading that gave err, when the policy
// allows it.
func (r *Result) allowedBy(policy Policy, err error) (*Result, error) {
	if err == nil && policy != nil {
		err = policy.Check(r.Assignment)
	}
	if err != nil {
		return &Result{Section: r.Section}, err
	}
	return r, nil
}
