package update

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// candidate is what may replace the container in force.
type candidate struct {
	to    *spec.Container
	cause api.UpdateCause
	by    string
	// force also tries what is quarantined, held or paused, at any time.
	force bool
	// digest is the registry's, if it is known before the pull.
	digest string
	// key is the id, once it was asked for.
	key string
}

// id identifies a candidate. It is asked for once the candidate is complete.
func (c *candidate) id() string {
	if c.key == "" {
		c.key = fmt.Sprint(c.cause, " ", c.to.Hash(), " ", c.force)
	}
	return c.key
}

// choose returns what should replace the container in force, nil if nothing should:
// first what a person asks for, then what is declared, then a newer image. latest is the
// digest that the registry has for the image, "" if it is not known.
func choose(r Record, current, declared *spec.Container, running Image, latest string) *candidate {
	if r.Request != nil && r.Request.Rollback {
		return goBack(r, current, running)
	}
	base := current.Unpinned()
	if declared != nil {
		base = declared
		c := &candidate{to: pinnedAs(declared, current), cause: api.CauseAssignment}
		q := r.quarantined(declared, pinnedDigest(c.to.Pin))
		c.forceBy(r.Request)
		if q == nil || c.force {
			return c
		}
	}
	if latest == "" || slices.Contains(running.Digests, latest) && declared == nil {
		return nil
	}
	to := *base
	to.Pin = &spec.Pin{Ref: WithDigest(base.Image, latest)}
	c := &candidate{to: &to, cause: api.CauseRegistry, digest: latest}
	c.forceBy(r.Request)
	if !c.force && (r.quarantined(base, latest) != nil || r.Paused != "" && r.Request == nil) {
		return nil
	}
	return c
}

// forceBy takes over who asks for the candidate.
func (c *candidate) forceBy(request *Request) {
	if request == nil {
		return
	}
	c.force, c.by = request.Force, request.By
	if c.cause == api.CauseRegistry {
		c.cause = api.CauseUpdate
	}
}

// goBack returns what dockhostctl rollback asks for; nil if there is nothing.
func goBack(r Record, current *spec.Container, running Image) *candidate {
	c := &candidate{cause: api.CauseRollback, by: r.Request.By, force: true}
	to := r.Request.To
	for _, revision := range []*Revision{r.Confirmed, r.Previous} {
		isCurrent := revision != nil && revision.ImageID == running.ID && revision.Container.Unpinned().Hash() == current.Unpinned().Hash()
		if revision == nil || isCurrent || to != "" && revision.Digest != to && revision.ImageID != to {
			continue
		}
		c.to, c.digest = revision.under(current.Update), revision.Digest
		return c
	}
	if to == "" {
		return nil
	}
	pinned := *current
	pinned.Pin = &spec.Pin{Ref: WithDigest(current.Image, to)}
	c.to, c.digest = &pinned, to
	return c
}

// pinnedAs returns the declared container, pinned to the image of the one in force if
// both have the same reference: the tag on this host may name an older image.
func pinnedAs(declared, current *spec.Container) *spec.Container {
	if declared.Image != current.Image || current.Pin == nil || declared.PullPolicy == spec.PullAlways {
		return declared
	}
	c := *declared
	c.Pin = current.Pin
	return &c
}

// pinnedDigest returns the digest of the image that a container is pinned to, "" without one.
func pinnedDigest(pin *spec.Pin) string {
	if pin == nil {
		return ""
	}
	if _, digest, found := strings.Cut(pin.Ref, "@"); found {
		return digest
	}
	return pin.ID
}

// WithDigest returns REPOSITORY@DIGEST of a reference.
func WithDigest(ref, digest string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return reference.FamiliarName(named) + "@" + digest
}

// isDigested reports whether a reference has a digest, so that no tag can move.
func isDigested(ref string) bool { return strings.Contains(ref, "@") }

// firstStart returns the change of a container that is in force without having replaced
// a confirmed one.
func firstStart(c *spec.Container, now time.Time) *Change {
	return &Change{Cause: api.CauseStart, To: Revision{Container: c}, Phase: PhaseSoaking, Since: now, Began: now}
}
