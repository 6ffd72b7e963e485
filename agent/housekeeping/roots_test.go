package housekeeping

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// storeOfContainerd is Docker with containerd's image store, whose root is another disk
// than Docker's.
type storeOfContainerd struct{ *engine.Client }

const containerdRoot = "/var/lib/containerd"

func (d storeOfContainerd) Info(ctx context.Context) (engine.Info, error) {
	info, err := d.Client.Info(ctx)
	info.ImageRoot = containerdRoot
	return info, err
}

// twoDisks returns a keeper of a host with the images on containerd's disk, and how many
// bytes of Docker's, of 1000 MB, are in use.
func (r *rig) twoDisks() (k *Keeper, data *atomic.Int64) {
	data = &atomic.Int64{}
	k = r.keeper()
	k.Docker = storeOfContainerd{r.client}
	k.Statfs = func(root string) (Disk, error) {
		if root == containerdRoot {
			disk, err := r.statfs(root)
			disk.Device = 2
			return disk, err
		}
		return Disk{Root: root, Device: 1, Used: data.Load(), Free: 1000*mb - data.Load(), Files: 100, FilesFree: 90}, nil
	}
	return k, data
}

// A full disk of containerd makes housekeeping remove images, however empty Docker's is.
func TestFullDiskOfContainerd(t *testing.T) {
	r := newRig(t)
	r.policy.Images = spec.ScopeAll
	k, _ := r.twoDisks()
	r.pulled("a:1", "b:1")
	r.collect(k)
	r.later(2 * time.Hour)
	if cause := k.cause(r.policy, false, false); cause != "" {
		t.Errorf("cause = %q with room, want none", cause)
	}
	r.other.Store(700 * mb)
	if cause := k.cause(r.policy, false, false); cause != "the disk is too full" {
		t.Errorf("cause = %q, want that the disk is too full", cause)
	}
	done, err := k.Collect(t.Context(), "a test")
	if err != nil || done.Freed == 0 || done.Disk.Root != containerdRoot || done.DockerDisk == nil || done.DockerDisk.Root == containerdRoot {
		t.Errorf("Collect() = %+v, %v, want images gone from %s", done, err, containerdRoot)
	}
	if free := k.Free(t.Context()); free > 300*mb {
		t.Errorf("Free() = %d, want that of containerd's disk", free)
	}
}

// A full disk of Docker's root refuses no pull and removes no image: none is on it. It is
// reported, with what is on it.
func TestFullDiskBesideTheImages(t *testing.T) {
	r := newRig(t)
	r.policy.Images = spec.ScopeAll
	k, data := r.twoDisks()
	r.pulled("a:1", "b:1")
	r.collect(k)
	r.later(2 * time.Hour)
	data.Store(950 * mb)
	if k.Full(t.Context(), 500*mb) {
		t.Error("Full() = true, and containerd's disk has room")
	}
	if freed, err := k.MakeRoom(t.Context(), 500*mb); freed != 0 || err != nil {
		t.Errorf("MakeRoom() = %d, %v, want nothing to do", freed, err)
	}
	if cause := k.cause(r.policy, false, false); cause != "" {
		t.Errorf("cause = %q just after a run that freed nothing, want none", cause)
	}
	if len(r.server.Images()) != 2 {
		t.Errorf("images = %v, want both", r.server.Images())
	}
	status := k.Status()
	if !strings.Contains(status.Problem, "95% full") || strings.Contains(status.Problem, containerdRoot) || len(status.Holds) == 0 || status.Holds[0].Bytes != 950*mb {
		t.Errorf("Status() = %+v, want that Docker's disk is full, and of what", status)
	}
	if plan, err := k.Plan(t.Context()); err != nil || plan.Disk.Wanted != 0 || plan.DockerDisk == nil || plan.DockerDisk.Used != 95 || len(plan.Holds) == 0 {
		t.Errorf("Plan() = %+v, %v, want both disks", plan, err)
	}
	data.Store(100 * mb)
	if k.noteRoom(r.policy); k.Status().Problem != "" {
		t.Errorf("Status() = %+v with room, want no problem any more", k.Status())
	}
}
