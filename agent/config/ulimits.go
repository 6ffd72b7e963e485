package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-units"

	"github.com/dockhost/dockhost/internal/document"
)

// ulimits reads the limits by their names, sorted: a number for soft and hard limit, or a
// mapping of both, as in Compose.
func (r reader) ulimits(at document.Spot) []*container.Ulimit {
	if !r.mapping(at, "nofile: 65536") {
		return nil
	}
	var limits []*container.Ulimit
	for name, value := range at.Fields() {
		soft, hard := value.Text(), value.Text()
		if value.IsMapping() {
			soft, hard = value.Field("soft").Text(), value.Field("hard").Text()
		}
		limit, err := units.ParseUlimit(fmt.Sprintf("%s=%s:%s", name, soft, hard))
		if err == nil && min(limit.Soft, limit.Hard) < -1 {
			err = errors.New("a limit is at least 0, or -1 for none")
		}
		if err != nil {
			r.Errorf(value, "cannot use this limit: write a number, or {soft: 1024, hard: 65536}: %v", err)
			continue
		}
		limits = append(limits, limit)
	}
	slices.SortFunc(limits, func(a, b *container.Ulimit) int { return cmp.Compare(a.Name, b.Name) })
	return limits
}

// Ulimit returns the default limit of a name, nil if the file has none.
func (c Config) Ulimit(name string) *container.Ulimit {
	for _, limit := range c.Ulimits {
		if limit.Name == name {
			return limit
		}
	}
	return nil
}
