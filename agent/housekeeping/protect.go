package housekeeping

import (
	"fmt"
	"strings"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// protect keeps an image for which there is a reason other than room.
func (p *planner) protect(v *verdict) {
	v.rule, v.reason = p.protection(v)
	v.stays = v.rule != ""
}

// protection returns the first rule that keeps an image, and its reason; "" when
// none does.
func (p *planner) protection(v *verdict) (rule, reason string) {
	if user, isUsed := p.users[v.ID]; isUsed {
		return ruleInUse, "container " + user + " uses it"
	}
	if ref := v.referenceIn(p.assigned); ref != "" {
		if name, isPrevious := strings.CutPrefix(ref, spec.KeptImages+"previous:"); isPrevious {
			return ruleRollback, "container " + name + " goes back to it if its present image fails"
		}
		return ruleAssigned, "assigned to this host as " + ref
	}
	if ref := v.referenceIn(p.claimed); ref != "" {
		return ruleClaimed, "being pulled, or about to be used, as " + ref
	}
	if name, isTarget := p.Rollback[v.ID]; isTarget {
		return ruleRollback, "container " + name + " goes back to it if its present image fails"
	}
	if p.Preloaded[v.ID] {
		return rulePreloaded, "baked into the host's image"
	}
	if pattern := p.pinnedBy(v.Image); pattern != "" {
		return rulePinned, fmt.Sprintf("kept by the pattern %q", pattern)
	}
	if child, isParent := p.children[v.ID]; isParent {
		return ruleParent, "image " + api.ShortID(child) + " was built on it"
	}
	if reason := p.foreign(v.Image); reason != "" {
		return ruleForeign, reason
	}
	if age := p.Now.Sub(v.Arrived); age < p.MinAge {
		return ruleYoung, fmt.Sprintf("here for %s, and stays for %s (min_age)", shown(age), limit(p.MinAge))
	}
	if newer, ranked := p.ranking.newer[v.ID]; ranked && newer < p.KeepLast {
		return ruleRecent, fmt.Sprintf("one of the last %d of its repository (keep_last)", p.KeepLast)
	}
	return "", ""
}

// foreign says why an image does not belong to dockhost, "" when it may be removed.
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
		if isKept(tag) {
			continue
		}
		if !pulled[normalize(tag)] {
			return "also called " + tag + ", which dockhost did not pull (images: all would let it go)"
		}
	}
	return ""
}
