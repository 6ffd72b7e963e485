package housekeeping

import (
	"fmt"
	"slices"
)

// uselessReason is the reason of ruleNothing.
const uselessReason = "nothing needs it, but images that stay have all of its layers"

// sweep removes what nothing needs, even if the disk has room.
func (p *planner) sweep() {
	for _, i := range p.byAge {
		v := &p.images[i]
		if v.stays {
			continue
		}
		newer, ranked := p.ranking.newer[v.ID]
		unused := p.Now.Sub(v.usedAt())
		switch {
		case ranked && v.Managed:
			p.remove(v, ruleSuperseded, fmt.Sprintf("%d newer ones of its repository are here (keep_last)", newer))
		case len(v.Tags)+len(v.Digests) == 0 || v.Managed && !v.hasTag():
			p.remove(v, ruleDangling, "it has no tag any more")
		case p.MaxAge > 0 && unused >= p.MaxAge:
			p.remove(v, ruleExpired, fmt.Sprintf("not used for %s (max_age %s)", shown(unused), limit(p.MaxAge)))
		}
	}
}

// makeRoom removes the least recently used images until there is room, and keeps
// all others.
func (p *planner) makeRoom() {
	if p.removals.freed < p.removals.wanted {
		p.keepUseless()
		p.removeOldest()
		p.restoreUseless()
	}
	for i := range p.images {
		if v := &p.images[i]; !v.stays && !v.remove {
			v.stays = true
			if v.rule == "" {
				v.rule, v.reason = ruleRoom, "nothing needs it, but there is room"
			}
		}
	}
}

func (p *planner) removeOldest() {
	for _, i := range p.byAge {
		v := &p.images[i]
		if v.stays || v.remove {
			continue
		}
		if p.removals.freed >= p.removals.wanted {
			return
		}
		p.remove(v, ruleLRU, fmt.Sprintf("not used for %s, and the disk is too full", shown(p.Now.Sub(v.usedAt()))))
	}
}

// keepUseless keeps the images all of whose layers are in images that stay: to remove
// them would free nothing.
func (p *planner) keepUseless() {
	held := make([]bool, len(p.layers.sizes))
	for i := range p.images {
		if p.images[i].stays {
			for _, n := range p.images[i].layers {
				held[n] = true
			}
		}
	}
	for i := range p.images {
		v := &p.images[i]
		if !v.stays && !v.remove && !slices.ContainsFunc(v.layers, func(n int) bool { return !held[n] && p.layers.sizes[n] > 0 }) {
			v.stays, v.rule, v.reason = true, ruleNothing, uselessReason
		}
	}
}

// restoreUseless takes back the removals that free nothing after all, since images
// that stay have the same layers.
func (p *planner) restoreUseless() {
	for _, i := range p.byAge {
		v := &p.images[i]
		if v.rule != ruleLRU || p.layers.freedAny(v.layers) {
			continue
		}
		p.layers.restore(v.layers)
		p.removals.images--
		v.remove, v.stays = false, true
		v.rule, v.reason = ruleNothing, uselessReason
	}
}

// remove removes an image, unless the run already removes as many as it may.
func (p *planner) remove(v *verdict, rule, reason string) {
	if p.removals.images >= p.MaxRemovals {
		v.rule, v.reason = ruleLimit, fmt.Sprintf("would be removed (%s), but this run removes %d already (max_removals)", rule, p.removals.images)
		return
	}
	p.removals.images++
	v.remove, v.order, v.rule, v.reason = true, p.removals.images, rule, reason
	v.frees = p.layers.remove(v.layers)
	p.removals.freed += v.frees
}
