package housekeeping

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/docker/go-units"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
)

// statfs returns how full the file system of a directory is.
func statfs(root string) (Disk, error) {
	var fs unix.Statfs_t
	var dir unix.Stat_t
	if err := errors.Join(unix.Statfs(root, &fs), unix.Stat(root, &dir)); err != nil {
		return Disk{}, fmt.Errorf("ask how full %s is: %w", root, err)
	}
	block := int64(fs.Bsize) //nolint:unconvert // narrower on other processors
	return Disk{
		Root: root, Device: dir.Dev,
		Used: int64(fs.Blocks-fs.Bfree) * block, Free: int64(fs.Bavail) * block, //nolint:gosec // far below 2^63
		Files: int64(fs.Files), FilesFree: int64(fs.Ffree), //nolint:gosec // far below 2^63
	}, nil
}

// used is how much of the file system is used, in percent, as df prints it: blocks
// that are reserved for root count as used.
func (d Disk) used() int { return percent(d.Used, d.Used+d.Free) }

func (d Disk) filesUsed() int { return percent(d.Files-d.FilesFree, d.Files) }

// percent rounds up, as df does.
func percent(part, whole int64) int {
	if whole <= 0 {
		return 0
	}
	return int((100*part + whole - 1) / whole)
}

// holds reports whether the file system could hold the download of a pull that needs as
// many bytes, if it was empty. Nothing is removed for a need that no removal can meet: a
// registry may claim any size.
func (d Disk) holds(need int64) bool { return engine.Download(need) <= d.Used+d.Free }

// need returns how many bytes the pulls will still bring that this file system could hold.
func (d Disk) need(claimed []rundir.Claimed) (sum int64) {
	for _, claim := range claimed {
		if d.holds(claim.Need) {
			sum += claim.Need
		}
	}
	return sum
}

// full reports whether the high mark is reached, or pulls need more than is free.
func (d Disk) full(p Policy, need int64) bool {
	return d.used() >= p.High || d.filesUsed() >= p.High || need > d.Free
}

// wanted is how many bytes must be freed, 0 when the disk is not full. How many inodes
// an image has is not known: the estimate spreads them evenly over the bytes.
func (d Disk) wanted(p Policy, need int64) int64 {
	if !d.full(p, need) {
		return 0
	}
	wanted := max(need-d.Free, 0)
	if d.used() >= p.High {
		wanted = max(wanted, d.Used-(d.Used+d.Free)/100*int64(p.Low))
	}
	if files := d.Files - d.FilesFree; d.filesUsed() >= p.High {
		wanted = max(wanted, (files-d.Files/100*int64(p.Low))*max(d.Used/max(files, 1), 1))
	}
	return wanted
}

// low reports whether there is room again.
func (d Disk) low(p Policy, need int64) bool {
	return d.used() <= p.Low && d.filesUsed() <= p.Low && need <= d.Free
}

// answer is the disk in the local API.
func (d Disk) answer(p Policy, wanted int64) api.GCDisk {
	return api.GCDisk{
		Root: d.Root, Size: d.Used + d.Free, Free: d.Free, Used: d.used(), InodesUsed: d.filesUsed(),
		High: p.High, Low: p.Low, Wanted: wanted,
	}
}

// limit writes a time as in a policy: 1h, 30d.
func limit(d time.Duration) string {
	if days := d / (24 * time.Hour); days > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", days)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// shown writes a time in words: 5 weeks.
func shown(d time.Duration) string { return strings.ToLower(units.HumanDuration(max(d, 0))) }
