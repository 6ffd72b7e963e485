package agent

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/spec"
)

// target is what the host is to run, and what was accepted before.
type target struct {
	// source is where the user data comes from, and what is wrong there and in
	// the files.
	source api.Source
	// kept is what is in force; nil when nothing is.
	kept *accepted
	// next is what is asked for; nil when nothing ever was.
	next *accepted
}

// readTarget reads what the host is to run: what the user data assigns, or
// assigned last, what the files declare, and what dockhostctl run declared.
func (a *Agent) readTarget(ctx context.Context) target {
	kept, err := a.store.load()
	if err != nil {
		a.Log.Warn("starting without the last known good", zap.Error(err))
	}
	t := a.readUserData(kept)
	files, wrong := a.readFiles(ctx, t.kept)
	a.logRefused("file refused", wrong)
	if t.next == nil && t.kept != nil {
		t.next = t.kept.clone()
	}
	if t.next == nil && len(files) > 0 {
		t.next = a.newAccepted(t.source)
	}
	t.source.Problems = append(t.source.Problems, append(wrong, a.configProblems()...)...)
	if t.next != nil {
		t.next.Files = files
		t.next.Assignment = t.next.asked()
	}
	return t
}

// readUserData decides about last known good: user data that cannot be read,
// or is wrong anywhere, changes nothing; what was accepted for another instance
// is dropped.
func (a *Agent) readUserData(kept *accepted) target {
	f := a.lastFetch()
	if f.err != nil || f.data == nil {
		return a.withoutUserData(kept, f)
	}
	source := api.Source{Datasource: f.data.Datasource, InstanceID: f.data.InstanceID, Path: f.data.Path}
	if kept != nil && !kept.isFor(f.data.InstanceID, a.store) {
		a.Log.Info("dropping the assignment of another instance", zap.String("instance_id", kept.InstanceID))
		a.drop()
		kept = nil
	}
	assignment, note, err := a.judge(f, kept)
	source.Note = note
	if err != nil {
		return a.lastKnownGood(source, kept, err)
	}
	a.logRefused("user data refused", nil)
	next := a.newAccepted(source)
	next.UserData = *assignment
	if kept != nil {
		next.Local = kept.Local
		if kept.Datasource == source.Datasource && equal(kept.UserData, next.UserData) {
			next.At = kept.At
		}
	}
	return target{source: source, kept: kept, next: next}
}

// newAccepted is what is accepted on this machine, with nothing in it yet.
func (a *Agent) newAccepted(source api.Source) *accepted {
	return &accepted{
		InstanceID: source.InstanceID, MachineID: a.store.machineID(), ProductUUID: a.store.productUUID(),
		Datasource: source.Datasource, At: time.Now(),
		UserData: spec.Assignment{Containers: []spec.Container{}}, Assignment: spec.Assignment{Containers: []spec.Container{}},
	}
}

// judge returns what the user data, or the declaration beside it, assigns, and
// what is worth knowing about it, where the policy allows it. User data that may
// well hold an assignment, but was not understood, must not end what was
// assigned before.
func (a *Agent) judge(f fetch, kept *accepted) (*spec.Assignment, string, error) {
	if f.wrong != nil {
		return nil, "", f.wrong
	}
	if f.result.Unread != nil && kept.assigns() {
		return nil, "", f.result.Unread
	}
	rules, err := loadPolicy(a.Root)
	if err != nil {
		return nil, "", err
	}
	result, err := f.result.Judge(rules)
	if err != nil {
		return nil, "", err
	}
	return result.Assignment, a.notes(f.data, result), nil
}

// withoutUserData is for a host whose user data is not there (yet). A clone of
// another machine must not run what that one was assigned.
func (a *Agent) withoutUserData(kept *accepted, f fetch) target {
	if kept != nil && !kept.isOf(a.store) {
		a.Log.Info("dropping the assignment of another machine", zap.String("instance_id", kept.InstanceID))
		a.drop()
		kept = nil
	}
	switch {
	case f.err == nil: // not answered yet
		source := api.Source{}
		if kept != nil {
			source.Note = "what was assigned last is in force until the user data is there"
		}
		return target{source: source, kept: kept}
	case errors.Is(f.err, datasource.ErrNotFound) && (kept == nil || kept.Datasource == ""):
		return target{source: api.Source{Note: f.err.Error()}, kept: kept}
	}
	return a.lastKnownGood(api.Source{}, kept, f.err)
}

func (a *Agent) lastKnownGood(source api.Source, kept *accepted, err error) target {
	source.Problems = problems(err)
	source.LastKnownGood = kept != nil
	a.logRefused("user data refused", source.Problems)
	return target{source: source, kept: kept}
}

// logRefused logs what is wrong with a source, once until it changes.
func (a *Agent) logRefused(message string, wrong []string) {
	text := strings.Join(wrong, "\n")
	if a.refused[message] == text {
		return
	}
	a.refused[message] = text
	for _, problem := range wrong {
		a.Log.Error(message, zap.String("problem", problem))
	}
}

// configProblems is what is wrong with the configuration.
func (a *Agent) configProblems() []string {
	a.mu.Lock()
	err, unused := a.configErr, a.config == nil
	a.mu.Unlock()
	if err == nil || unused { // then it is why there is no user data
		a.logRefused("configuration refused", nil)
		return nil
	}
	wrong := problems(err)
	a.logRefused("configuration refused", wrong)
	return wrong
}

func (a *Agent) drop() {
	if err := a.store.drop(); err != nil {
		a.Log.Warn("last known good not dropped", zap.Error(err))
	}
}

// problems makes one line of each problem that an error holds.
func problems(err error) []string {
	return strings.Split(err.Error(), "\n")
}
