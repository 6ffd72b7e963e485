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
	// Kind is the MIME type that cloud-init has for this user data as a whole:
	// "text/cloud-config", "multipart/mixed", "text/x-shellscript" and so on,
	// "text/plain" for text that cloud-init does not know,
	// "application/octet-stream" for what is no text, and "" for empty user data.
	Kind string
	// Opaque says that there may be a dockhost section which was not looked
	// for: the user data includes others, and includes are off.
	Opaque bool
	// Parts is what the user data consists of, in its order.
	Parts []Part
	// Warnings is what is worth knowing and not wrong, a sentence each.
	Warnings []string
	// Node is the mapping below `dockhost:`, nil when the user data has no such
	// key. Source says where its lines come from.
	Node   *yaml.Node
	Source *document.Source
}

// Part is a part of user data. User data that has no parts is one.
type Part struct {
	// Name is the file name that the part was given, or "part 2", or the name
	// of the file where the user data is no more than this part.
	Name string
	// Type is its MIME type, as cloud-init has it: "text/cloud-config".
	Type string
	// Size is how large it is unpacked, in bytes.
	Size int
	// Outcome is what was done with it, and Why the reason, "" where it is plain.
	Outcome Outcome
	Why     string
}

// Outcome is what was done with a part.
type Outcome string

const (
	// Taken has at least a piece of the dockhost section in it.
	Taken Outcome = "taken"
	// Merged is cloud-config without a dockhost section.
	Merged Outcome = "merged"
	// Unpacked has parts in it, which follow.
	Unpacked Outcome = "unpacked"
	// Skipped is for cloud-init alone, or for nobody.
	Skipped Outcome = "skipped"
	// Wrong cannot be read.
	Wrong Outcome = "wrong"
)

// Options say how user data is read.
type Options struct {
	// Include fetches what an #include names, an http or https URL. It bounds
	// time and size (MaxSize), and its errors hold no logins. Without it
	// includes are off: they are passed over, and a warning says so.
	Include func(ctx context.Context, url string) ([]byte, error)
}

// Section unpacks the user data and finds the `dockhost:` section, which is
// what cloud-init's merge of all parts has below that key. User data that has
// none is no error. The section is there with an error, too, without a Node:
// its Parts and Warnings are what was found so far. The error is
// document.Problems.
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
	if len(r.problems) > 0 {
		r.section.Node = nil
		return r.section, r.problems
	}
	return r.section, nil
}
