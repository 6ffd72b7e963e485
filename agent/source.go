package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/compose"
)

// target is what the host is to run, and what was accepted before.
type target struct {
	// source is where it comes from, and what is wrong there.
	source api.Source
	// kept is what is in force; nil when nothing is.
	kept *accepted
	// next is what is asked for; nil when kept stays as it is.
	next *accepted
}

// readTarget reads what the host is to run: what the user data assigns, or
// assigned last, and what dockhostctl run declared on it.
func (a *Agent) readTarget(ctx context.Context) target {
	t := a.readUserData(ctx)
	if t.kept == nil || len(t.kept.Local) == 0 {
		return t
	}
	if t.next == nil {
		t.next = t.kept.withoutLocal()
	}
	t.next.addLocal(t.kept.Local)
	return t
}

// readUserData reads the user data and what is kept. It decides about last
// known good: user data that cannot be read, or is wrong anywhere, changes
// nothing; what was accepted for another instance is dropped.
func (a *Agent) readUserData(ctx context.Context) target {
	kept, err := a.store.load()
	if err != nil {
		a.Log.Warn("starting without the last known good", zap.Error(err))
	}
	_, data, err := datasource.Find(ctx, datasource.Options{Root: a.Root})
	if err != nil {
		return a.withoutUserData(kept, err)
	}
	source := api.Source{Datasource: data.Datasource, InstanceID: data.InstanceID, Path: data.Path}
	if kept != nil && !kept.isFor(data.InstanceID, a.store.machineID()) {
		a.Log.Info("dropping the assignment of another instance", zap.String("instance_id", kept.InstanceID))
		a.drop()
		kept = nil
	}
	assignment, note, err := parse(data, kept) //nolint:contextcheck // compose-go's loader takes a context and waits for nothing
	source.Note = note
	if err != nil {
		return lastKnownGood(source, kept, err)
	}
	return target{source: source, kept: kept, next: &accepted{
		InstanceID: data.InstanceID,
		MachineID:  a.store.machineID(),
		Datasource: data.Datasource,
		At:         time.Now(),
		Assignment: *assignment,
	}}
}

// parse returns what the user data assigns, and what is worth knowing about
// it. User data that may well hold an assignment, but of a kind that is not
// understood, must not end what was assigned before.
func parse(data *cloudinit.UserData, kept *accepted) (*spec.Assignment, string, error) {
	section, err := data.Section()
	if err != nil {
		return nil, "", err
	}
	switch {
	case section.Node != nil:
	case section.Opaque && kept.assigns():
		return nil, "", fmt.Errorf("%s: %s is not looked into for a dockhost section (write it as plain #cloud-config)", section.File, section.Kind)
	case section.Kind == "":
		return &spec.Assignment{}, "the user data is empty", nil
	default:
		return &spec.Assignment{}, "the user data (" + section.Kind + ") has no dockhost section", nil
	}
	assignment, err := compose.Parse(section.Source, section.Node)
	return assignment, "", err
}

// withoutUserData is for a host whose user data cannot be read. A clone of
// another machine must not run what that one was assigned.
func (a *Agent) withoutUserData(kept *accepted, err error) target {
	if kept != nil && kept.MachineID != a.store.machineID() {
		a.Log.Info("dropping the assignment of another machine", zap.String("instance_id", kept.InstanceID))
		a.drop()
		kept = nil
	}
	if errors.Is(err, datasource.ErrNotFound) && (kept == nil || kept.Datasource == "") {
		return target{source: api.Source{Note: err.Error()}, kept: kept}
	}
	return lastKnownGood(api.Source{}, kept, err)
}

func lastKnownGood(source api.Source, kept *accepted, err error) target {
	source.Problems = problems(err)
	if kept != nil {
		source.LastKnownGood = true
	}
	return target{source: source, kept: kept}
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
