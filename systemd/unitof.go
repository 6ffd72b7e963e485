package systemd

import (
	"path"
	"strconv"
	"strings"
)

// UnitOf returns the service or scope that a process runs in, "" if it is not in one.
func (c Cgroups) UnitOf(pid int) string {
	trees, err := c.trees(strconv.Itoa(pid))
	if err != nil {
		return ""
	}
	for at := tracking(trees); len(at) > 1; at = path.Dir(at) {
		if name := path.Base(at); strings.HasSuffix(name, ".service") || strings.HasSuffix(name, ".scope") {
			return name
		}
	}
	return ""
}
