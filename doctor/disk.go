package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/docker/go-units"
)

const (
	// Below failShare of a file system, or below failBytes on a large one, pulls fail.
	failShare, warnShare = 0.03, 0.10
	failBytes            = 512 << 20
)

func diskChecks() []Check {
	const area = "disk"
	return []Check{
		{ID: "disk-space", Area: area, Title: "there is room on the disks", examine: checkSpace},
		{ID: "disk-inodes", Area: area, Title: "there are inodes on the disks", examine: checkInodes},
	}
}

// place is a directory that fills, and its file system.
type place struct {
	path string
	Space
}

// places returns the directories of Docker, containerd and dockhost, one for each file
// system.
func (h *host) places() ([]place, error) {
	paths := []string{"/var/lib/docker", "/var/lib/dockhost", "/run/dockhost"}
	if info, err := h.info(); err == nil {
		paths[0] = info.Root
		paths = append(paths, cmp.Or(info.ImageRoot, info.Root))
	}
	var places []place
	seen := map[uint64]bool{}
	for _, path := range paths {
		space, err := h.Space(h.Root + path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		}
		if !seen[space.Device] {
			places = append(places, place{path, space})
		}
		seen[space.Device] = true
	}
	return places, nil
}

func checkSpace(_ context.Context, h *host) []Finding {
	places, err := h.places()
	if err != nil {
		return cannotAsk("how full the disks are", err)
	}
	var findings []Finding
	for _, p := range places {
		what := fmt.Sprintf("%s has %s left of %s", p.path, units.HumanSize(float64(p.Free)), units.HumanSize(float64(p.Total)))
		share := float64(p.Free) / float64(max(p.Total, 1))
		switch {
		case share < failShare, p.Free < failBytes && p.Total > 8*failBytes:
			findings = append(findings, fail(what+": images cannot be pulled, and containers cannot write", "see what fills it and what can be removed: dockhostctl gc --dry-run; then: dockhostctl gc")...)
		case share < warnShare:
			findings = append(findings, warn(what, "see what fills it and what can be removed: dockhostctl gc --dry-run")...)
		default:
			findings = append(findings, ok(what)...)
		}
	}
	return findings
}

func checkInodes(_ context.Context, h *host) []Finding {
	places, err := h.places()
	if err != nil {
		return cannotAsk("how full the disks are", err)
	}
	var findings []Finding
	for _, p := range places {
		if p.Inodes == 0 {
			continue
		}
		what := fmt.Sprintf("%s has %d inodes left of %d", p.path, p.FreeInodes, p.Inodes)
		share := float64(p.FreeInodes) / float64(p.Inodes)
		switch {
		case share < failShare:
			findings = append(findings, fail(what+": no more files can be made", "see what can be removed: dockhostctl gc --dry-run; then: dockhostctl gc")...)
		case share < warnShare:
			findings = append(findings, warn(what, "see what can be removed: dockhostctl gc --dry-run")...)
		default:
			findings = append(findings, ok(what)...)
		}
	}
	if len(findings) == 0 {
		return skip("the file systems make inodes as they need them")
	}
	return findings
}
