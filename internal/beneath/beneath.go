// Package beneath opens what a path of the host leads to, if that is in a directory that
// a policy grants. Containers may change such a directory at any time. So it opens
// component by component, and never lets the kernel follow a symbolic link: what it
// returns is what it has judged. It imports the standard library and x/sys/unix only,
// since dockhost-runtime uses it.
package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ReadOnly is the suffix of a grant for read-only mounts. No container can change links
// in such a directory.
const ReadOnly = ":ro"

// Grants are what a rule of a policy grants.
type Grants struct {
	// Rule is the rule's name.
	Rule string `json:"rule"`
	// Entries are its directories and files, as the policy names them, some with the suffix
	// [ReadOnly].
	Entries []string `json:"entries"`
	// Writable are the directories in which containers may make links.
	Writable []string `json:"writable,omitempty"`
}

// HostMounts returns the grants of the rule host_mounts.
func HostMounts(entries []string) Grants {
	isReadOnly := func(entry string) bool { return strings.HasSuffix(entry, ReadOnly) }
	return Grants{Rule: "host_mounts", Entries: entries, Writable: slices.DeleteFunc(slices.Clone(entries), isReadOnly)}
}

// Path returns a path to what name leads to now, whatever happens to name later, until
// close is called. Without grants it is name itself. The error says why name is not granted,
// and is [fs.ErrNotExist] if there is nothing.
func (g *Grants) Path(name string) (path string, close func(), err error) {
	if g == nil {
		return name, func() {}, nil
	}
	fd, err := Open("", name, *g)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), func() { _ = unix.Close(fd) }, nil
}

// Open returns a descriptor (O_PATH) of what name leads to below the directory root, which
// stands for the host's; "" is the host's own. The error says why it is not in one of the grants.
func Open(root, name string, grants Grants) (int, error) {
	w, err := follow(root, name, nil)
	if err != nil {
		return -1, fmt.Errorf("open %q: %w", name, err)
	}
	defer w.close()
	if err := grants.check(root, name, w.real()); err != nil {
		return -1, err
	}
	if len(w.rest) > 0 {
		return -1, missingError(name)
	}
	return w.take(), nil
}

// missingError is the error for a path that leads to nothing.
type missingError string

func (e missingError) Error() string { return fmt.Sprintf("the host has no %q: create it", string(e)) }

// Is reports whether target is [fs.ErrNotExist].
func (e missingError) Is(target error) bool { return target == fs.ErrNotExist }

// Make creates the directories of name that are missing, with mode 0755, if they are in
// one of the grants.
func Make(root, name string, grants Grants) error {
	w, err := follow(root, name, nil)
	if err != nil {
		return fmt.Errorf("create %q: %w", name, err)
	}
	defer w.close()
	if len(w.rest) == 0 {
		return nil
	}
	if err := grants.check(root, name, w.real()); err != nil {
		return err
	}
	for _, part := range w.rest {
		if err := unix.Mkdirat(w.top(), part, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("create %q: %w", name, err)
		}
		// What someone else has put there in between is no link that is followed.
		if err := w.enter(part); err != nil {
			return fmt.Errorf("create %q: %w", name, err)
		}
	}
	return nil
}

// check returns an error if real, to which name leads, is in none of the grants.
func (g Grants) check(root, name, real string) error {
	for _, grant := range g.real(root) {
		if isBelow(grant, real) {
			return nil
		}
	}
	where := fmt.Sprintf("%q is", name)
	if real != path.Clean(name) {
		where = fmt.Sprintf("%q leads to %q, which is", name, real)
	}
	return fmt.Errorf("%s not in a directory that the policy grants (%s: [%s]): remove the symbolic link, "+
		"or grant the directory in /etc/dockhost/policy.yaml and run systemctl reload dockhost", where, g.Rule, strings.Join(g.Entries, ", "))
}

// real returns where the grants are. A grant that is itself a symbolic link follows the
// link, unless containers may have made it: then it grants nothing beyond the grant in
// which the link is.
func (g Grants) real(root string) []string {
	var open []string
	for _, grant := range g.Writable {
		if w, err := follow(root, grant, nil); err == nil {
			open = append(open, w.real())
			w.close()
		}
	}
	trusted := func(dir string) bool {
		return !slices.ContainsFunc(open, func(grant string) bool { return isBelow(grant, dir) })
	}
	var real []string
	for _, grant := range g.Entries {
		if w, err := follow(root, strings.TrimSuffix(grant, ReadOnly), trusted); err == nil {
			real = append(real, w.real())
			w.close()
		}
	}
	return real
}

// isBelow reports whether a path is a directory or below it.
func isBelow(directory, name string) bool {
	return directory == "/" || name == directory || strings.HasPrefix(name, directory+"/")
}
