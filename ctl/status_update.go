package ctl

import (
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
	case "", api.OutcomeConfirmed, api.OutcomeUnchanged, api.OutcomeFound:
	case api.StateWaiting:
		fmt.Fprintf(b, "\n%s: the update to %s waits: %s\n", name, to, u.Why)
	case api.StateSoaking:
		fmt.Fprintf(b, "\n%s: soaking%s: %s", name, soakEnd(u, now), to)
		if u.From != nil {
			fmt.Fprintf(b, "; if it fails, %s runs again", revisionText(u.From))
		}
		b.WriteString("\n")
	case api.OutcomeRolledBack:
		fmt.Fprintf(b, "\n%s: %srolled back%s, %s: %s was not well: %s\n", name, c.bad, c.off, ago(u.Since, now), to, indent(u.Why))
		printQuarantine(b, name, u, now)
	case api.OutcomeRefused, api.OutcomeFailed:
		fmt.Fprintf(b, "\n%s: %sthe update to %s %s%s, %s: %s\n", name, c.bad, to, verb(u.State), c.off, ago(u.Since, now), indent(u.Why))
		printQuarantine(b, name, u, now)
	default:
		// Pending says what is done about a changed assignment.
		if u.To != nil && container.Pending == nil {
			fmt.Fprintf(b, "\n%s: updating to %s: %s\n", name, to, words(u.State))
		}
	}
	printBrakes(b, name, u, c, now)
}

// printQuarantine prints which revisions are not tried again, and what to do.
func printQuarantine(b *strings.Builder, name string, u *api.Update, now time.Time) {
	if len(u.Quarantined) == 0 {
		fmt.Fprintf(b, "  more of it: dockhostctl history %s\n", name)
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
	fmt.Fprintf(b, "  to accept what runs now: dockhostctl hold %s\n", name)
}

// printBrakes prints what keeps newer images away.
func printBrakes(b *strings.Builder, name string, u *api.Update, c colors, now time.Time) {
	if u.Paused != "" {
		fmt.Fprintf(b, "\n%s: %supdates are paused%s: %s (to try again: dockhostctl update --force %s)\n", name, c.bad, c.off, indent(u.Paused), name)
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

// soakEnd returns " until 13:40:05 (40 seconds)", or "" if the end is unknown.
func soakEnd(u *api.Update, now time.Time) string {
	if u.Until == nil || !u.Until.After(now) {
		return ""
	}
	return fmt.Sprintf(" until %s (%s)", u.Until.In(now.Location()).Format("15:04:05"), strings.ToLower(units.HumanDuration(u.Until.Sub(now))))
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
