package housekeeping

import (
	"context"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
)

// roots are the directories whose file systems fill. Both are the same with Docker's own
// image store.
type roots struct {
	// images has the images and what containers write into their own file systems, data
	// the volumes and logs.
	images, data string
}

func rootsOf(info engine.Info) roots { return roots{images: info.ImageRoot, data: info.Root} }

// disk returns the file system that images are pulled to.
func (k *Keeper) disk(ctx context.Context) (Disk, error) {
	known := k.knownRoots()
	if known.images == "" {
		info, err := k.Docker.Info(ctx)
		if err != nil {
			return Disk{}, err
		}
		known = rootsOf(info)
		k.setRoots(known)
	}
	return k.Statfs(known.images)
}

// knownRoots returns the roots, empty ones until Docker was asked.
func (k *Keeper) knownRoots() roots {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.roots
}

func (k *Keeper) setRoots(r roots) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.roots = r
}

// dataDisk returns the file system of Docker's root, if it is another one than that of the
// images.
func (k *Keeper) dataDisk(images Disk) (disk Disk, separate bool) {
	data := k.knownRoots().data
	if data == images.Root {
		return Disk{}, false
	}
	disk, err := k.Statfs(data)
	return disk, err == nil && disk.Device != images.Device
}

// crowded returns the disk that is too full: that of the images, which running pulls need
// more of, or that of Docker's root. Without such a disk it returns that of the images.
func (k *Keeper) crowded(policy Policy, images Disk, need int64) (disk Disk, needed int64, full bool) {
	if images.full(policy, need) {
		return images, need, true
	}
	if data, separate := k.dataDisk(images); separate && data.full(policy, 0) {
		return data, 0, true
	}
	return images, need, false
}

// dataAnswer is the disk of Docker's root in the local API, nil if it is that of the images.
func (k *Keeper) dataAnswer(images Disk, policy Policy) *api.GCDisk {
	data, separate := k.dataDisk(images)
	if !separate {
		return nil
	}
	answer := data.answer(policy, 0)
	return &answer
}

// sameDisk says whether two directories are on the same file system.
func (k *Keeper) sameDisk(one, other string) bool {
	if one == other {
		return true
	}
	first, err := k.Statfs(one)
	second, otherErr := k.Statfs(other)
	return err == nil && otherErr == nil && first.Device == second.Device
}
