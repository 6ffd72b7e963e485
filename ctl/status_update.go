package ctl

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/dockhost/dockhost/agent/api"
)

// printUpdate prints what the agent does about changes of a container, if there is
// something to say.
func printUpdate(b *strings.Builder, container api.Container, c colors, now time.Time) {
	u := container.Update
	if u == nil {
		return
	}
	name, to := container.Name, revisionText(u.To)
	switch u.State {
	case "", api.OutcomeUnchanged, api.OutcomeFound:
	case api.OutcomeConfirmed:
		if u.Cause == api.CauseRollback {
			fmt.Fprintf(b, "\n%s: a person went back to %s, %s\n", name, to, ago(u.Since, now))
			printQuarantine(b, name, u, now)
		}
	case api.StateWaiting:
		fmt.Fprintf(b, "\n%s: the update to %s waits: %s\n", name, to, u.Why)
	case api.StateSoaking:
		if u.From != nil { // a first start has nothing to go back to
			fmt.Fprintf(b, "\n%s: %s is soaking: %s; if it fails, %s runs again\n", name, to, u.Why, revisionText(u.From))
		}
	case api.OutcomeRolledBack:
		fmt.Fprintf(b, "\n%s: %srolled back%s, %s: %s was not well: %s\n", name, c.bad, c.off, ago(u.Since, now), to, indent(u.Why))
		printQuarantine(b, name, u, now)
		fmt.Fprintf(b, "  to accept what runs now: dockhostctl hold %s\n", name)
	case api.OutcomeRefused, api.OutcomeFailed:
		if container.Pending != nil {
			break // it was printed with the reason
		}
		fmt.Fprintf(b, "\n%s: %sthe update to %s %s%s, %s: %s\n", name, c.bad, to, verb(u.State), c.off, ago(u.Since, now), indent(u.Why))
		if u.State == api.OutcomeFailed {
			fmt.Fprintf(b, "  more of it: dockhostctl history %s\n", name)
		}
	default:
		if u.To != nil && container.OnTrack() {
			step := words(u.State)
			if container.Pending != nil {
				step = cmp.Or(container.Pending.Doing, step)
			}
			fmt.Fprintf(b, "\n%s: updating to %s: %s\n", name, to, step)
		}
	}
	printBrakes(b, name, u, c, now)
}

// printQuarantine prints which revisions are not tried again, and what to do.
func printQuarantine(b *strings.Builder, name string, u *api.Update, now time.Time) {
	if len(u.Quarantined) == 0 {
		return
	}
	for _, r := range u.Quarantined {
		fmt.Fprintf(b, "  quarantined: %s", revisionText(&r))
		if r.At != nil {
			fmt.Fprintf(b, ", %s", ago(r.At, now))
		}
		if r.Why != "" && r.Why != u.Why {
			fmt.Fprintf(b, ": %s", indent(r.Why))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "  a newer image or a changed assignment is tried by itself; this one only by: dockhostctl update --force %s\n", name)
}

// printBrakes prints what keeps newer images away.
func printBrakes(b *strings.Builder, name string, u *api.Update, c colors, now time.Time) {
	if u.Paused != "" {
		fmt.Fprintf(b, "\n%s: %supdates are paused%s: %s (to allow them again: dockhostctl unhold %s)\n", name, c.bad, c.off, indent(u.Paused), name)
	}
	if hold := u.Hold; hold != nil {
		until := ""
		if hold.Until != nil {
			until = ", until " + moment(*hold.Until, now.Location())
		}
		fmt.Fprintf(b, "\n%s: held by %s, %s%s (to end it: dockhostctl unhold %s)\n", name, hold.By, ago(&hold.At, now), until, name)
	}
	if u.CheckError != "" {
		fmt.Fprintf(b, "\n%s: the registry cannot be asked for a newer image: %s", name, indent(u.CheckError))
		if u.NextCheck != nil {
			fmt.Fprintf(b, "; next try in %s", strings.ToLower(units.HumanDuration(max(0, u.NextCheck.Sub(now)))))
		}
		b.WriteString("\n")
	}
}

// wasRolledBack reports whether the last update was rolled back. What printUpdate says
// about it is also about the declaration that is not in force.
func wasRolledBack(container api.Container) bool {
	return container.Update != nil && container.Update.State == api.OutcomeRolledBack
}

// verb returns an outcome as the verb of a sentence.
func verb(outcome string) string {
	if outcome == api.OutcomeRefused {
		return "was refused"
	}
	return outcome
}

// indent indents all lines of a text except the first.
func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n  ") }
