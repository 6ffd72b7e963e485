package update

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// CheckMonitor reports a soak that is longer than the time between two checks of the
// registry: a newer image would be found before it is known whether the last one works.
func CheckMonitor(report *document.Report, at document.Spot, u *spec.Update) {
	effective := u.Check
	if effective == 0 {
		effective = defaultCheck
	}
	if u.Policy == spec.UpdateRegistry && u.Monitor > effective {
		report.Errorf(at, "longer than the time between two checks of the registry, %s: write a shorter one, or check: %s beside policy", textOf(effective), textOf(u.Monitor))
	}
}

// CheckPolicy reports a tag that cannot be watched. at is the policy.
func CheckPolicy(report *document.Report, at document.Spot, c *spec.Container) {
	if c.Update == nil || c.Update.Policy != spec.UpdateRegistry {
		return
	}
	if isPinned(c.Image) {
		report.Errorf(at, "the image is pinned by its digest, so no newer one can appear: name it by a tag, or write policy: none")
	}
	if c.PullPolicy == spec.PullNever {
		report.Errorf(at, "cannot be combined with pull_policy: never: leave one of them out")
	}
}

// isPinned reports whether an image reference always names the same image.
func isPinned(image string) bool {
	named, err := reference.ParseAnyReference(image)
	if err != nil {
		return false
	}
	_, pinned := named.(reference.Digested)
	return pinned
}

// CheckOrder reports that a second container cannot run beside the first. at is the
// order.
func CheckOrder(report *document.Report, at document.Spot, order spec.UpdateOrder, c *spec.Container) {
	if order != spec.StartFirst {
		return
	}
	reasons := Collisions(c)
	if len(reasons) == 0 {
		return
	}
	const shown = 10
	if more := len(reasons) - shown; more > 0 {
		reasons = append(reasons[:shown], fmt.Sprintf("and %d more", more))
	}
	report.Errorf(at, "two containers cannot run side by side: write stop-first (%s)", strings.Join(reasons, "; "))
}
