// Package housekeeping keeps the disk from filling, and removes nothing that is
// needed. [Make] makes a plan, and touches nothing. [Keeper] gathers what a plan is
// made from, and carries it out.
package housekeeping

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// Image is an image on the host.
type Image struct {
	ID string
	// Parent is the image on this host that it was built on; "" for others.
	Parent string
	// Tags are its references with a tag, Digests those with a digest.
	Tags, Digests []string
	Labels        map[string]string
	// Size is the size of all layers.
	Size int64
	// Layers are the keys of its layers in [Input.Layers].
	Layers []string
	// Arrived is when the host got it. LastUsed is when a container of it ran or was
	// created last; zero when none did.
	Arrived, LastUsed time.Time
	// Managed says that dockhost pulled it, under the references in Pulled.
	Managed bool
	Pulled  []string
}

// Container is a container on the host, in any state.
type Container struct {
	ID, Name, ImageID string
	// Managed says that dockhost created it.
	Managed bool
	// Ended is when it ended at the latest; zero while it runs.
	Ended time.Time
}

// Disk is the state of a file system, as statfs(2) reports it.
type Disk struct {
	// Root is the root of the images, or Docker's root, which is on it.
	Root string
	// Device is the number of the file system.
	Device uint64
	// Used and Free are in bytes. Free is what an unprivileged program can use. Files
	// and FilesFree are inodes; both are 0 on a file system that does not count them.
	Used, Free       int64
	Files, FilesFree int64
}

// Input is everything that a plan is made from.
type Input struct {
	Now        time.Time
	Images     []Image
	Layers     map[string]int64
	Containers []Container
	// Assigned are the references that containers of dockhost run, or are about to
	// run. Claimed are those that a program of dockhost pulls, or is about to use.
	Assigned, Claimed []string
	// Rollback has the container that would be rolled back to an image, by the image's
	// ID.
	Rollback map[string]string
	// Preloaded are the IDs of the images that were baked into the host's image.
	Preloaded map[string]bool
	Disk      Disk
	// Need is how many bytes the running pulls will still bring.
	Need int64
}

// The rules that decide about an image; the first one that applies does.
const (
	ruleInUse      = "in-use"
	ruleAssigned   = "assigned"
	ruleClaimed    = "being-pulled"
	ruleRollback   = "rollback"
	rulePreloaded  = "preloaded"
	rulePinned     = "pinned"
	ruleParent     = "parent"
	ruleForeign    = "not-managed"
	ruleYoung      = "min-age"
	ruleRecent     = "keep-last"
	ruleDangling   = "dangling"
	ruleSuperseded = "superseded"
	ruleExpired    = "max-age"
	ruleLRU        = "least-recently-used"
	ruleNothing    = "frees-nothing"
	ruleRoom       = "room"
	ruleLimit      = "max-removals"
)

// Make decides which images and containers to remove.
func Make(in Input, policy Policy) api.GC {
	p := newPlanner(in, policy)
	for i := range p.images {
		p.protect(&p.images[i])
	}
	p.sweep()
	p.makeRoom()
	return p.result()
}

// planner makes one plan.
type planner struct {
	Input
	Policy

	images []verdict
	// byAge are the indices of images, the least recently used first.
	byAge []int
	// users has the container that uses an image. children has an image that was built
	// on it. Both are by the image's ID.
	users, children map[string]string
	// assigned and claimed are the references of [Input] as they are compared.
	assigned, claimed map[string]bool
	ranking           ranking
	layers            layers
	removals          removals
}

// removals are what is removed so far, and what should be.
type removals struct {
	images int
	// freed and wanted are bytes.
	freed, wanted int64
}

// verdict is an image and what becomes of it.
type verdict struct {
	*Image
	// layers are the numbers of its layers.
	layers []int
	stays  bool
	remove bool
	// order is its place among the removals, from 1.
	order  int
	frees  int64
	rule   string
	reason string
}

func newPlanner(in Input, policy Policy) *planner {
	p := &planner{
		Input: in, Policy: policy, images: make([]verdict, len(in.Images)),
		users: map[string]string{}, children: map[string]string{}, assigned: normalized(in.Assigned), claimed: normalized(in.Claimed),
		layers: newLayers(in.Layers), removals: removals{wanted: in.Disk.wanted(policy, in.Need)},
	}
	for _, c := range in.Containers {
		if user, isUsed := p.users[c.ImageID]; !isUsed || c.Name < user {
			p.users[c.ImageID] = c.Name
		}
	}
	for i := range in.Images {
		image := &in.Images[i]
		p.images[i] = verdict{Image: image, layers: p.layers.add(image.Layers)}
		if image.Parent != "" {
			p.children[image.Parent] = image.ID
		}
	}
	p.byAge = sortedByAge(in.Images)
	p.ranking = p.rankImages()
	return p
}

// sortedByAge returns the indices of images, the least recently used first.
func sortedByAge(images []Image) []int {
	indices := make([]int, len(images))
	for i := range images {
		indices[i] = i
	}
	slices.SortFunc(indices, func(a, b int) int {
		return cmp.Or(images[a].usedAt().Compare(images[b].usedAt()), cmp.Compare(images[a].ID, images[b].ID))
	})
	return indices
}

// usedAt returns when an image was used last, or arrived.
func (i *Image) usedAt() time.Time {
	if i.LastUsed.After(i.Arrived) {
		return i.LastUsed
	}
	return i.Arrived
}

func (p *planner) result() api.GC {
	plan := api.GC{
		At: p.Now, Off: p.Off, Frees: p.removals.freed, Images: make([]api.GCImage, 0, len(p.images)),
		Disk: p.Disk.answer(p.Policy, p.removals.wanted),
	}
	order := slices.Clone(p.byAge)
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(p.images[a].place(), p.images[b].place())
	})
	for _, i := range order {
		v := &p.images[i]
		names := v.Tags
		if len(names) == 0 {
			names = v.Digests
		}
		plan.Images = append(plan.Images, api.GCImage{
			ID: v.ID, Names: names, Size: v.Size, Frees: v.frees, LastUsed: v.usedAt(),
			Remove: v.remove, Rule: v.rule, Reason: v.reason,
		})
	}
	plan.Containers = p.endedContainers()
	return plan
}

// place sorts removals first, in their order.
func (v *verdict) place() int {
	if v.remove {
		return v.order
	}
	return math.MaxInt
}

// endedContainers returns the containers that ended long ago.
func (p *planner) endedContainers() []api.GCContainer {
	var ended []api.GCContainer
	for _, c := range p.Input.Containers {
		removable := p.Policy.Containers == spec.ScopeAll || p.Policy.Containers == spec.ScopeManaged && c.Managed
		if age := p.Now.Sub(c.Ended); removable && !c.Ended.IsZero() && age >= containerAge {
			ended = append(ended, api.GCContainer{ID: c.ID, Name: c.Name, Reason: "ended " + shown(age) + " ago"})
		}
	}
	slices.SortFunc(ended, func(a, b api.GCContainer) int { return cmp.Compare(a.ID, b.ID) })
	return ended
}
