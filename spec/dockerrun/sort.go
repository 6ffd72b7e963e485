package dockerrun

import (
	"cmp"
	"slices"
	"strings"

	"github.com/docker/go-units"
)

// sort makes equal command lines equal requests: docker/cli keeps variables, binds
// and ulimits in maps, so their order is random. The sort is stable, so that the
// last of two variables with the same name still wins.
func (r *request) sort() {
	slices.SortStableFunc(r.config.Env, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, "=")
		nameB, _, _ := strings.Cut(b, "=")
		return cmp.Compare(nameA, nameB)
	})
	slices.Sort(r.host.Binds)
	slices.SortFunc(r.host.Ulimits, func(a, b *units.Ulimit) int { return cmp.Compare(a.Name, b.Name) })
}
