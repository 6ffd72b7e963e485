package dockerrun

import (
	"cmp"
	"slices"
	"strings"

	"github.com/docker/go-units"
)

// sort makes one command line one request: docker/cli keeps variables, binds
// and ulimits in maps, and so sends them in another order each time. Of two
// variables of one name, the later one still counts.
func (r *request) sort() {
	slices.SortStableFunc(r.config.Env, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, "=")
		nameB, _, _ := strings.Cut(b, "=")
		return cmp.Compare(nameA, nameB)
	})
	slices.Sort(r.host.Binds)
	slices.SortFunc(r.host.Ulimits, func(a, b *units.Ulimit) int { return cmp.Compare(a.Name, b.Name) })
}
