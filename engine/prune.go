package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
)

// PruneBuildCache removes build cache that was not used for a time, and returns its
// size in bytes.
func (c *Client) PruneBuildCache(ctx context.Context, unused time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	report, err := c.api().BuildCachePrune(ctx, build.CachePruneOptions{All: true, Filters: filters.NewArgs(filters.Arg("until", unused.String()))})
	if err != nil {
		return 0, fmt.Errorf("remove build cache: %w", translate(err))
	}
	return int64(report.SpaceReclaimed), nil //nolint:gosec // far below 2^63
}

// PruneNetworks removes networks of at least this age that no container uses, and
// returns their names.
func (c *Client) PruneNetworks(ctx context.Context, age time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	report, err := c.api().NetworksPrune(ctx, filters.NewArgs(filters.Arg("until", age.String())))
	if err != nil {
		return nil, fmt.Errorf("remove networks: %w", translate(err))
	}
	return report.NetworksDeleted, nil
}

// anonymous matches the name of an anonymous volume.
var anonymous = regexp.MustCompile(`^[0-9a-f]{64}$`)

// PruneVolumes removes anonymous volumes that no container uses, and those named ones
// for which also returns true, and returns their names. It keeps all other named
// volumes, which Docker's own prune removes before Docker 23.
func (c *Client) PruneVolumes(ctx context.Context, also func(Volume) bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	volumes, err := c.api().VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("dangling", "true"), filters.Arg("driver", "local"))})
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", translate(err))
	}
	var removed []string
	var errs []error
	for _, v := range volumes.Volumes {
		if !anonymous.MatchString(v.Name) && !also(Volume{Name: v.Name, Labels: v.Labels}) {
			continue
		}
		err := translate(c.api().VolumeRemove(ctx, v.Name, false))
		switch {
		case err == nil:
			removed = append(removed, v.Name)
		case !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNotFound):
			errs = append(errs, fmt.Errorf("remove volume %s: %w", v.Name, err))
		}
	}
	return removed, errors.Join(errs...)
}
