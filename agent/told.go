package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/events"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// What causes an event, as in [api.Event].
const (
	byUserData    = "user data"
	byFile        = "file"
	byDockhostctl = "dockhostctl"
)

// withJournal returns a logger whose entries about a container say which one in the
// fields of the journal, and whose events are kept.
func withJournal(log *zap.Logger, dir rundir.Dir, kept *events.Store) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return journal.Wrap(core, func(name string) journal.About { return about(dir, name) }, func(e journal.Entry) { keep(kept, e) })
	}))
}

// about returns what is known about a container.
func about(dir rundir.Dir, name string) journal.About {
	if spec.CheckName(name) != nil {
		return journal.About{Name: name}
	}
	known := journal.About{Name: name, Unit: spec.UnitName(name)}
	if state, err := dir.State(name); err == nil {
		known.ID, known.Image, known.Phase = state.ContainerID, state.Image, state.Phase
	} else if c, err := dir.Container(name); err == nil {
		known.Image = c.Image
	}
	return known
}

// keep keeps an event that was written to the journal. The outcomes of updates are in
// their history.
func keep(kept *events.Store, entry journal.Entry) {
	if strings.HasPrefix(string(entry.Name), "update-") {
		return
	}
	e := api.Event{At: entry.At, Event: string(entry.Name)}
	text := func(key string) string { value, _ := entry.Fields[key].(string); return value }
	e.Container, e.By, e.From, e.To = text("container"), text("by"), text("from"), text("to")
	e.Text = detail(entry)
	if slices.Contains([]journal.Name{journal.AssignmentAccepted, journal.Declared, journal.Forgotten, journal.ImageRemoved}, entry.Name) {
		e.Outcome = "done"
	}
	if byPerson := slices.Contains([]journal.Name{journal.Starting, journal.Stopping}, entry.Name) && e.By != ""; byPerson {
		e.Outcome = "done"
	}
	if entry.Name == journal.AssignmentRefused {
		e.Outcome = api.OutcomeRefused
	}
	kept.Add(e)
}

// detail returns the message of an entry, unless it is the one of its event, and the
// fields that an event has no room for: first what explains it.
func detail(entry journal.Entry) string {
	var words []string
	if entry.Message != entry.Name.Message() {
		words = append(words, entry.Message)
	}
	shown := []string{"container", "by", "from", "to", "datasource", "instance_id", "path"}
	for _, key := range []string{"why", "problem", "error"} {
		if value, has := entry.Fields[key]; has {
			words = append(words, fmt.Sprint(value))
			shown = append(shown, key, "image")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(entry.Fields)) {
		if !slices.Contains(shown, key) && strings.ToUpper(key) != key {
			words = append(words, fmt.Sprintf("%s=%v", key, entry.Fields[key]))
		}
	}
	return strings.Join(words, " ")
}

// updateEvent returns the event of an update that has ended. A first start is no update.
func updateEvent(entry api.HistoryEntry) (e api.Event, ok bool) {
	if entry.Cause == api.CauseStart {
		return e, false
	}
	e = api.Event{
		At: entry.Ended, Event: "update-" + entry.Outcome, Container: entry.Name, By: string(entry.Cause),
		To: revision(&entry.To), From: revision(entry.From), Outcome: entry.Outcome, Text: entry.Why,
	}
	if entry.By != "" {
		e.By = byDockhostctl + " " + e.By + " by " + entry.By
	}
	return e, true
}

// revision names an image by its reference and the beginning of its digest.
func revision(r *api.Revision) string {
	if r == nil {
		return ""
	}
	if id := api.ShortID(r.Digest); id != "" && !strings.Contains(r.Image, "@") {
		return r.Image + "@" + id
	}
	return r.Image
}
