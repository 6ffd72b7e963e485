package agent

import (
	"context"
	"errors"
	"maps"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/cloudinit/datasource"
)

// target is what a host should run, and what it accepted before.
type target struct {
	// source is where the user data comes from, with the problems of it and of the
	// files.
	source api.Source
	// old is what was accepted before; nil when nothing was.
	old *accepted
	// next is what is declared now; nil when nothing ever was.
	next *accepted
	// beside are the directories of the files that Compose files name.
	beside []string
}

// targetReader reads what the host should run: what the user data assigns, or
// assigned last, what the files declare, and what dockhostctl run declared.
type targetReader struct {
	root    string
	config  *configuration
	fetcher *fetcher
	store   *store
	// intake bounds how long a policy judges user data.
	intake   *intake
	problems *problemLog
	log      *zap.Logger
}

func (r *targetReader) read(ctx context.Context) target {
	saved, err := r.store.file.load()
	if err != nil {
		r.log.Warn("starting without the last known good", zap.Error(err))
	}
	if unsaved := r.store.unsavedAssignment(); unsaved != nil {
		saved = unsaved
	}
	t := r.readUserData(ctx, saved)
	read := readFiles(ctx, r.root, t.old)
	files, wrong := read.assignments, read.problems
	r.problems.refused("file refused", wrong)
	r.warnOnce("file accepted with a warning", read.warnings...)
	t.beside = read.beside
	t.source.Note = joinNotes(append([]string{t.source.Note}, read.warnings...)...)
	if t.next == nil && t.old != nil {
		t.next = t.old.clone()
	}
	if t.next == nil && len(files) > 0 {
		t.next = newAccepted(r.store.file, t.source)
	}
	t.source.Problems = append(t.source.Problems, append(wrong, r.configProblems()...)...)
	if t.next != nil {
		t.next.Files = files
		t.next.Ulimits = r.config.ulimits(t.old)
		t.next.Assignment = t.next.merged()
	}
	return t
}

// readUserData decides about last known good. User data that cannot be read, or
// has a mistake, changes nothing. What was accepted for another instance is
// dropped.
func (r *targetReader) readUserData(ctx context.Context, saved *accepted) target {
	result := r.fetcher.last()
	if result.err != nil || result.data == nil {
		return r.withoutUserData(saved, result.err)
	}
	source := api.Source{Datasource: result.data.Datasource, InstanceID: result.data.InstanceID, Path: result.data.Path}
	if saved != nil && !saved.isFor(result.data.InstanceID, r.store.file) {
		r.log.Info("dropping the assignment of another instance", zap.String("instance_id", saved.InstanceID))
		r.drop()
		saved = nil
	}
	assigned, err := r.judge(ctx, result, saved)
	if err != nil {
		return r.lastKnownGood(source, saved, err)
	}
	source.Note = r.notes(result.data, assigned)
	r.problems.refused("user data refused", nil)
	next := newAccepted(r.store.file, source)
	next.UserData = *assigned.Assignment
	if saved != nil {
		next.Local, next.Stopped = saved.Local, maps.Clone(saved.Stopped)
		if saved.Datasource == source.Datasource && equal(saved.UserData, next.UserData) {
			next.At = saved.At
		}
	}
	return target{source: source, old: saved, next: next}
}

// judge returns what the user data assigns, if the policy of the host allows it.
// The policy is read each time, as it may have changed since the user data was
// fetched. User data of which a part was not read must not end what was assigned
// before.
func (r *targetReader) judge(ctx context.Context, result fetched, saved *accepted) (*assignment.Result, error) {
	if result.wrong != nil {
		return nil, result.wrong
	}
	if result.result.Unread != nil && saved.assigns() {
		return nil, result.result.Unread
	}
	rules, err := loadPolicy(r.root)
	if err != nil {
		return nil, err
	}
	return r.intake.read(ctx, func(context.Context, *stopwatch) (*assignment.Result, error) { return result.result.Judge(rules) })
}

// withoutUserData is for a host whose user data is missing, or was not fetched
// yet: err is nil then. A clone must not run what was assigned to its original.
func (r *targetReader) withoutUserData(saved *accepted, err error) target {
	if saved != nil && !saved.isOf(r.store.file) {
		r.log.Info("dropping the assignment of another machine", zap.String("instance_id", saved.InstanceID))
		r.drop()
		saved = nil
	}
	switch {
	case err == nil:
		source := api.Source{}
		if saved != nil {
			source.Note = "what was assigned last is in force until the user data is there"
		}
		return target{source: source, old: saved}
	case errors.Is(err, datasource.ErrNotFound) && (saved == nil || saved.Datasource == ""):
		return target{source: api.Source{Note: err.Error()}, old: saved}
	}
	return r.lastKnownGood(api.Source{}, saved, err)
}

// lastKnownGood keeps what was accepted before.
func (r *targetReader) lastKnownGood(source api.Source, saved *accepted, err error) target {
	source.Problems = problems(err)
	source.LastKnownGood = saved != nil
	r.problems.refused("user data refused", source.Problems)
	return target{source: source, old: saved}
}

// configProblems returns what is wrong with the configuration. Without a valid one
// it is reported as the reason why there is no user data.
func (r *targetReader) configProblems() []string {
	valid, err := r.config.get()
	if err == nil || valid == nil {
		r.problems.log("configuration refused", nil)
		return nil
	}
	wrong := problems(err)
	r.problems.log("configuration refused", wrong)
	return wrong
}

func (r *targetReader) drop() {
	if err := r.store.file.drop(); err != nil {
		r.log.Warn("last known good not dropped", zap.Error(err))
	}
}
