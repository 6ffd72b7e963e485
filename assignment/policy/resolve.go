package policy

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links a path may lead through, as in the kernel
// (MAXSYMLINKS).
const maxLinks = 40

// resolve follows the symbolic links of a path, also where what they lead to is
// not there yet. A path that leads nowhere is "/", which is all of the host.
func resolve(root, name string) string {
	for links := 0; links <= maxLinks; links++ {
		next, found := follow(root, name)
		if !found {
			return path.Clean("/" + name)
		}
		name = next
	}
	return "/"
}

// follow replaces the first symbolic link in a path by what it leads to.
func follow(root, name string) (string, bool) {
	at := "/"
	parts := strings.Split(strings.Trim(name, "/"), "/")
	for i, part := range parts {
		at = path.Join(at, part)
		target, err := os.Readlink(filepath.Join(root, at))
		if err != nil {
			continue // no link, or not there
		}
		if !path.IsAbs(target) {
			target = path.Dir(at) + "/" + target
		}
		// Not yet cleaned: ".." after a link leaves what the link leads to.
		return target + "/" + strings.Join(parts[i+1:], "/"), true
	}
	return name, false
}
