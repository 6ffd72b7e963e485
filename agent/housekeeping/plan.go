// Package housekeeping keeps the disk from filling, and removes nothing that is
// needed. [Make] decides, and touches nothing; [Keeper] gathers what it decides
// by, and carries out what it decided.
package housekeeping

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// Image is an image of the host.
type Image struct {
	ID string
	// Parent is the image that it was built on, on this host; "" for others.
	Parent string
	// Tags are its references with a tag, Digests those with a digest.
	Tags, Digests []string
	Labels        map[string]string
	// Size is that of all layers.
	Size int64
	// Layers are the keys of its layers in [Input.Layers].
	Layers []string
	// Arrived is when it came to the host, LastUsed when a container of it ran or
	// was made last; zero when none did.
	Arrived, LastUsed time.Time
	// Managed says that dockhost pulled it, under the references Pulled.
	Managed bool
	Pulled  []string
}

// Container is a container of the host, in whatever state.
type Container struct {
	ID, Name, ImageID string
	// Managed says that dockhost made it.
	Managed bool
	// Ended is when it ended at the latest; zero while it has not.
	Ended time.Time
}

// Disk is a file system, as statfs has it.
type Disk struct {
	// Root is Docker's, which lies on it.
	Root string
	// Used and Free are bytes, Free those that a program of anyone may fill. Files
	// and FilesFree are inodes; both are 0 where the file system does not count.
	Used, Free       int64
	Files, FilesFree int64
}

// Input is all that a plan is made of.
type Input struct {
	Now        time.Time
	Images     []Image
	Layers     map[string]int64
	Containers []Container
	// Assigned are the references that containers of dockhost run, or are about
	// to, Claimed those that a program of dockhost is pulling or about to use.
	Assigned, Claimed []string
	// Rollback has the containers whose way back an image is, by its ID.
	Rollback map[string]string
	// Preloaded are the IDs of the images that were baked into the host's.
	Preloaded map[string]bool
	Disk      Disk
	// Need is how many bytes the pulls that are under way are still to bring.
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

// Make decides what becomes of each image, and which containers go.
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
	// users has the container that uses an image, children an image that was
	// built on it; both by its ID.
	users, children map[string]string
	assigned        map[string]bool
	claimed         map[string]bool
	// rank is how many images of its repository are more recent than an image, for
	// the repositories of which something runs. recent has the smallest one.
	recent map[string]int
	// repositories are those of which something runs, or is to.
	repositories map[string]bool
	// sizes and holders are of layers, by number.
	sizes   []int64
	holders []int
	removed int
	freed   int64
	wanted  int64
}

// verdict is an image and what becomes of it.
type verdict struct {
	*Image
	layers []int
	kept   bool
	remove bool
	order  int
	frees  int64
	rule   string
	reason string
}

func newPlanner(in Input, policy Policy) *planner {
	p := &planner{
		Input: in, Policy: policy,
		images: make([]verdict, len(in.Images)), byAge: make([]int, len(in.Images)),
		users: map[string]string{}, children: map[string]string{}, recent: map[string]int{},
		assigned: normalized(in.Assigned), claimed: normalized(in.Claimed), repositories: map[string]bool{},
		wanted: in.Disk.wanted(policy, in.Need),
	}
	for _, c := range in.Containers {
		if known, found := p.users[c.ImageID]; !found || c.Name < known {
			p.users[c.ImageID] = c.Name
		}
	}
	p.number()
	p.findRepositories()
	p.rankImages()
	return p
}

// number gives each layer a number, and counts the images that hold it.
func (p *planner) number() {
	numbers := make(map[string]int, len(p.Layers))
	for i := range p.Input.Images {
		image := &p.Input.Images[i]
		v := verdict{Image: image, layers: make([]int, 0, len(image.Layers))}
		for _, key := range image.Layers {
			n, found := numbers[key]
			if !found {
				n = len(p.sizes)
				numbers[key] = n
				p.sizes, p.holders = append(p.sizes, p.Layers[key]), append(p.holders, 0)
			}
			if !slices.Contains(v.layers, n) {
				p.holders[n]++
				v.layers = append(v.layers, n)
			}
		}
		p.images[i], p.byAge[i] = v, i
		if image.Parent != "" {
			p.children[image.Parent] = image.ID
		}
	}
	slices.SortFunc(p.byAge, func(a, b int) int {
		return cmp.Or(p.images[a].usedAt().Compare(p.images[b].usedAt()), cmp.Compare(p.images[a].ID, p.images[b].ID))
	})
}

// usedAt is when an image was used last, or came.
func (i *Image) usedAt() time.Time {
	if i.LastUsed.After(i.Arrived) {
		return i.LastUsed
	}
	return i.Arrived
}

// findRepositories notes the repositories of which something runs, or is to.
func (p *planner) findRepositories() {
	for ref := range p.assigned {
		p.repositories[repository(ref)] = true
	}
	for i := range p.images {
		image := p.images[i].Image
		_, used := p.users[image.ID]
		_, target := p.Rollback[image.ID]
		if used || target {
			for _, name := range image.repositories() {
				p.repositories[name] = true
			}
		}
	}
}

// rankImages notes for each image how many of its repository are more recent.
func (p *planner) rankImages() {
	seen := map[string]int{}
	for _, i := range slices.Backward(p.byAge) {
		image := p.images[i].Image
		for _, name := range image.repositories() {
			if !p.repositories[name] {
				continue
			}
			if rank, found := p.recent[image.ID]; !found || seen[name] < rank {
				p.recent[image.ID] = seen[name]
			}
			seen[name]++
		}
	}
}

// repositories are the names of an image without tags and digests.
func (i *Image) repositories() []string {
	var names []string
	for _, ref := range slices.Concat(i.Tags, i.Digests) {
		if name := repository(ref); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func repository(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return named.Name()
}

// normalized is a set of references as they are compared: in full, with their
// tag, or by their digest alone where they have one.
func normalized(refs []string) map[string]bool {
	set := make(map[string]bool, len(refs))
	for _, ref := range refs {
		set[normalize(ref)] = true
	}
	return set
}

func normalize(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	if digested, ok := named.(reference.Digested); ok {
		return named.Name() + "@" + digested.Digest().String()
	}
	return reference.TagNameOnly(named).String()
}

// referenceIn returns the reference of an image that is in a set, or "". An
// image may be named by its ID, too.
func (i *Image) referenceIn(set map[string]bool) string {
	for _, ref := range slices.Concat(i.Tags, i.Digests) {
		if set[normalize(ref)] {
			return ref
		}
	}
	for ref := range set {
		if isIDOf(ref, i.ID) {
			return ref
		}
	}
	return ""
}

// isIDOf says whether a name is an image's ID, or the beginning of it, which
// looks like a repository of Docker's hub.
func isIDOf(name, id string) bool {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "docker.io/library/"), ":latest")
	name = strings.TrimPrefix(name, "sha256:")
	return len(name) >= 12 && strings.HasPrefix(strings.TrimPrefix(id, "sha256:"), name)
}

// protect notes why an image stays, if there is a reason other than room.
func (p *planner) protect(v *verdict) {
	v.rule, v.reason = p.protection(v)
	v.kept = v.rule != ""
}

func (p *planner) protection(v *verdict) (rule, reason string) {
	if user, found := p.users[v.ID]; found {
		return ruleInUse, "container " + user + " uses it"
	}
	if ref := v.referenceIn(p.assigned); ref != "" {
		return ruleAssigned, "assigned to this host as " + ref
	}
	if ref := v.referenceIn(p.claimed); ref != "" {
		return ruleClaimed, "being pulled, or about to be used, as " + ref
	}
	if name, found := p.Rollback[v.ID]; found {
		return ruleRollback, "container " + name + " goes back to it if its present image fails"
	}
	if p.Preloaded[v.ID] {
		return rulePreloaded, "baked into the host's image"
	}
	if pattern := p.pinnedBy(v.Image); pattern != "" {
		return rulePinned, fmt.Sprintf("kept by the pattern %q", pattern)
	}
	if child, found := p.children[v.ID]; found {
		return ruleParent, "image " + short(child) + " was built on it"
	}
	if reason := p.foreign(v.Image); reason != "" {
		return ruleForeign, reason
	}
	if age := p.Now.Sub(v.Arrived); age < p.MinAge {
		return ruleYoung, fmt.Sprintf("here for %s, and stays for %s (min_age)", shown(age), limit(p.MinAge))
	}
	if rank, found := p.recent[v.ID]; found && rank < p.KeepLast {
		return ruleRecent, fmt.Sprintf("one of the last %d of its repository (keep_last)", p.KeepLast)
	}
	return "", ""
}

// foreign says why an image is none of dockhost's, "" when it may go.
func (p *planner) foreign(image *Image) string {
	switch {
	case p.Policy.Images == spec.ScopeAll:
		return ""
	case p.Policy.Images == spec.ScopeNone:
		return "images are not removed on this host (images: off)"
	case len(image.Tags)+len(image.Digests) == 0:
		return ""
	case !image.Managed:
		return "not pulled by dockhost (images: all would let it go)"
	}
	pulled := normalized(image.Pulled)
	for _, tag := range image.Tags {
		if !pulled[normalize(tag)] {
			return "also called " + tag + ", which dockhost did not pull (images: all would let it go)"
		}
	}
	return ""
}

// sweep removes what nothing needs, full disk or not.
func (p *planner) sweep() {
	for _, i := range p.byAge {
		v := &p.images[i]
		if v.kept {
			continue
		}
		_, ranked := p.recent[v.ID]
		unused := p.Now.Sub(v.usedAt())
		switch {
		case ranked && v.Managed:
			p.remove(v, ruleSuperseded, fmt.Sprintf("%d newer ones of its repository are here (keep_last)", p.recent[v.ID]))
		case len(v.Tags)+len(v.Digests) == 0 || len(v.Tags) == 0 && v.Managed:
			p.remove(v, ruleDangling, "it has no tag any more")
		case p.MaxAge > 0 && unused >= p.MaxAge:
			p.remove(v, ruleExpired, fmt.Sprintf("not used for %s (max_age %s)", shown(unused), limit(p.MaxAge)))
		}
	}
}

// makeRoom removes the least recently used images until there is room.
func (p *planner) makeRoom() {
	if p.freed < p.wanted {
		p.keepUseless()
		for _, i := range p.byAge {
			v := &p.images[i]
			if v.kept || v.remove {
				continue
			}
			if p.freed >= p.wanted {
				break
			}
			p.remove(v, ruleLRU, fmt.Sprintf("not used for %s, and the disk is too full", shown(p.Now.Sub(v.usedAt()))))
		}
		p.keepInVain()
	}
	for i := range p.images {
		if v := &p.images[i]; !v.kept && !v.remove {
			v.kept = true
			if v.rule == "" {
				v.rule, v.reason = ruleRoom, "nothing needs it, but there is room"
			}
		}
	}
}

// keepUseless keeps the images all of whose layers are those of images that
// stay: without them there is no byte more.
func (p *planner) keepUseless() {
	held := make([]bool, len(p.sizes))
	for i := range p.images {
		if p.images[i].kept {
			for _, n := range p.images[i].layers {
				held[n] = true
			}
		}
	}
	for i := range p.images {
		v := &p.images[i]
		if !v.kept && !v.remove && !slices.ContainsFunc(v.layers, func(n int) bool { return !held[n] && p.sizes[n] > 0 }) {
			v.kept, v.rule, v.reason = true, ruleNothing, "nothing needs it, but all of its layers are those of images that stay"
		}
	}
}

// keepInVain takes back what was to go and frees nothing after all, since
// images that stay hold the same layers.
func (p *planner) keepInVain() {
	for _, i := range p.byAge {
		v := &p.images[i]
		if v.rule != ruleLRU || slices.ContainsFunc(v.layers, func(n int) bool { return p.holders[n] == 0 && p.sizes[n] > 0 }) {
			continue
		}
		for _, n := range v.layers {
			p.holders[n]++
		}
		p.removed--
		v.remove, v.kept = false, true
		v.rule, v.reason = ruleNothing, "nothing needs it, but all of its layers are those of images that stay"
	}
}

// remove has an image go, unless as many go as may.
func (p *planner) remove(v *verdict, rule, reason string) {
	if p.removed >= p.MaxRemovals {
		v.rule, v.reason = ruleLimit, fmt.Sprintf("would go (%s), but %d go already in this run (max_removals)", rule, p.removed)
		return
	}
	p.removed++
	v.remove, v.order, v.rule, v.reason = true, p.removed, rule, reason
	for _, n := range v.layers {
		if p.holders[n]--; p.holders[n] == 0 {
			v.frees += p.sizes[n]
		}
	}
	p.freed += v.frees
}

func (p *planner) result() api.GC {
	plan := api.GC{At: p.Now, Off: p.Off, Frees: p.freed, Images: make([]api.GCImage, 0, len(p.images)), Disk: p.Disk.told(p.Policy, p.wanted)}
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

// place puts what goes first, in the order in which it goes.
func (v *verdict) place() int {
	if v.remove {
		return v.order
	}
	return math.MaxInt
}

// endedContainers are the containers that ended long ago.
func (p *planner) endedContainers() []api.GCContainer {
	var gone []api.GCContainer
	for _, c := range p.Input.Containers {
		mine := p.Policy.Containers == spec.ScopeAll || p.Policy.Containers == spec.ScopeManaged && c.Managed
		if age := p.Now.Sub(c.Ended); mine && !c.Ended.IsZero() && age >= containerAge {
			gone = append(gone, api.GCContainer{ID: c.ID, Name: c.Name, Reason: "ended " + shown(age) + " ago"})
		}
	}
	slices.SortFunc(gone, func(a, b api.GCContainer) int { return cmp.Compare(a.ID, b.ID) })
	return gone
}

// short is an ID as docker shows it.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}
