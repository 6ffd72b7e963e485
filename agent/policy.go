package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/dockhost/dockhost/assignment/policy"
	"github.com/dockhost/dockhost/internal/regular"
)

// maxPolicySize bounds the policy file.
const maxPolicySize = 1 << 20

// loadPolicy reads the policy of the host below root. Without the file it returns
// nil, which allows everything. With an error the caller must accept nothing new.
func loadPolicy(root string) (*policy.Policy, error) {
	text, err := regular.Follow(filepath.Join(root, policy.Path), maxPolicySize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // a host without a policy allows everything
	}
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	rules, err := policy.Parse(policy.Path, text)
	if err != nil {
		return nil, err
	}
	return rules.Resolving(func(name string) string { return followLinks(root, name) }), nil
}

// maxLinks is how many symbolic links a path may lead through, as in the kernel
// (MAXSYMLINKS).
const maxLinks = 40

// followLinks follows the symbolic links of a path below root, even if a target
// does not exist yet. A path with too many links becomes "/", which stands for
// the whole host.
func followLinks(root, name string) string {
	for links := 0; links <= maxLinks; links++ {
		next, isLink := followFirstLink(root, name)
		if !isLink {
			return path.Clean("/" + name)
		}
		name = next
	}
	return "/"
}

// followFirstLink replaces the first symbolic link in a path by its target.
func followFirstLink(root, name string) (next string, isLink bool) {
	at := "/"
	parts := strings.Split(strings.Trim(name, "/"), "/")
	for i, part := range parts {
		at = path.Join(at, part)
		target, err := os.Readlink(filepath.Join(root, at))
		if err != nil {
			continue // not a link, or it does not exist
		}
		if !path.IsAbs(target) {
			target = path.Dir(at) + "/" + target
		}
		// The result must not be cleaned yet: ".." after a link means the parent of
		// its target.
		return target + "/" + strings.Join(parts[i+1:], "/"), true
	}
	return name, false
}
