package cloudinit

import (
	"context"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// Section is the `dockhost:` section of user data.
type Section struct {
	// File names the user data in messages: "user-data".
	File string
	// Kind is cloud-init's MIME type for this user data as a whole:
	// "text/cloud-config", "multipart/mixed", "text/x-shellscript" and so on,
	// "text/plain" for text that cloud-init does not know,
	// "application/octet-stream" for data that is not text, and "" for empty user data.
	Kind string
	// Opaque is true when an included document may have a dockhost section that
	// was not read, because includes are off.
	Opaque bool
	// Parts are the parts of the user data, in their order.
	Parts []Part
	// Warnings are one sentence each. They do not make the section unusable.
	Warnings []string
	// Node is the mapping below `dockhost:`, nil when the user data has no such
	// key. Source says where its lines come from.
	Node   *yaml.Node
	Source *document.Source
}

// Part is a part of user data. User data that is not multipart is a single one.
type Part struct {
	// Name is the part's file name, or "part 2" if it has none, or the name of
	// the user data's file if this is its only part.
	Name string
	// Type is cloud-init's MIME type for it: "text/cloud-config".
	Type string
	// Size is how large it is unpacked, in bytes.
	Size int
	// Outcome says what was done with it, and Why the reason, or "".
	Outcome Outcome
	Why     string
}

// Outcome says what was done with a part.
type Outcome string

const (
	// Taken has at least a piece of the dockhost section in it.
	Taken Outcome = "taken"
	// Merged is cloud-config without a dockhost section.
	Merged Outcome = "merged"
	// Unpacked has parts in it, which follow.
	Unpacked Outcome = "unpacked"
	// Skipped is not for dockhost.
	Skipped Outcome = "skipped"
	// Wrong cannot be read.
	Wrong Outcome = "wrong"
)

// Options say how user data is read.
type Options struct {
	// Include fetches an http or https URL of an #include. It bounds
	// time and size (MaxSize), and its errors hold no logins. Without it
	// includes are off: they are passed over, and a warning says so.
	Include func(ctx context.Context, url string) ([]byte, error)
}

// Section unpacks the user data and finds the `dockhost:` section, as
// cloud-init's merge of all parts defines it. User data without the section is
// not an error. With an error the section is returned too, without a Node but
// with the Parts and Warnings so far. The error is document.Problems.
func (u *UserData) Section(ctx context.Context, o Options) (*Section, error) {
	r := newReader(u, o)
	r.whole(ctx, u.Raw)
	r.advise()
	if key, value := r.key("dockhost"); key != nil && len(r.problems) == 0 {
		if value.Kind == yaml.MappingNode {
			r.section.Node = value
		} else {
			r.wrongNode(key, "dockhost is not a mapping: write containers: below it, indented, or remove it")
		}
	}
	r.nearMiss()
	if len(r.problems) > 0 {
		r.section.Node = nil
		return r.section, r.problems
	}
	return r.section, nil
}
