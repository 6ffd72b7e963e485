package supervisor

import (
	"fmt"
	"time"

	"github.com/docker/go-units"

	"github.com/dockhost/dockhost/engine"
)

const (
	// rateWindow is the time over which the speed of a pull is measured.
	rateWindow = 5 * time.Second
	// unpackPatience is how long a pull may be silent once every byte has
	// arrived: some Engines report no progress while they unpack.
	unpackPatience = 10 * time.Minute
)

// progress describes how far a pull is.
type progress struct {
	image string
	// marks are the numbers of bytes that had arrived at times within the window.
	marks []mark
}

// mark is the number of bytes that had arrived at a time.
type mark struct {
	at    time.Time
	bytes int64
}

// status returns one line for `systemctl status`.
func (p *progress) status(now time.Time, at engine.Progress) string {
	if at.Layers == 0 {
		return "pulling " + p.image
	}
	status := fmt.Sprintf("pulling %s: %d of %d layers", p.image, at.LayersDone, at.Layers)
	if at.Bytes == 0 || at.LayersDone == at.Layers {
		return status
	}
	status += fmt.Sprintf(", %s of %s", units.HumanSize(float64(at.BytesDone)), units.HumanSize(float64(at.Bytes)))
	rate := p.rate(now, at.BytesDone)
	switch {
	case at.Downloaded:
		return status + ", unpacking"
	case rate > 0:
		return status + fmt.Sprintf(" at %s/s", units.HumanSize(rate))
	}
	return status
}

// rate returns the bytes per second, 0 while it is unknown.
func (p *progress) rate(now time.Time, bytes int64) float64 {
	if n := len(p.marks); n > 0 && bytes < p.marks[n-1].bytes {
		p.marks = nil // a layer is downloaded again
	}
	for len(p.marks) > 1 && now.Sub(p.marks[1].at) >= rateWindow {
		p.marks = p.marks[1:]
	}
	if n := len(p.marks); n == 0 || now.Sub(p.marks[n-1].at) >= rateWindow/10 {
		p.marks = append(p.marks, mark{now, bytes})
	}
	first := p.marks[0]
	if took := now.Sub(first.at); took >= time.Second {
		return float64(bytes-first.bytes) / took.Seconds()
	}
	return 0
}
