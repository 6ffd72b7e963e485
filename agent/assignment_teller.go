package agent

import (
	"slices"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/spec"
)

// assignmentTeller tells which assignment is in force, when it changes and when the agent
// starts.
type assignmentTeller struct {
	log *zap.Logger
	// told says that it was told once.
	told bool
}

// tell tells what a reconcile has read.
func (a *assignmentTeller) tell(t target) {
	if t.next == nil {
		return
	}
	fields := []zap.Field{}
	if t.source.Path != "" {
		fields = append(fields, zap.String("datasource", t.source.Datasource), zap.String("instance_id", t.source.InstanceID), zap.String("path", t.source.Path))
	}
	by, changes := assignmentChanges(t.old, t.next)
	switch {
	case by != "":
		journal.AssignmentAccepted.Log(a.log, append(append(fields, zap.String("by", by)), changes...)...)
	case !a.told:
		a.log.Info("assignment in force, as before", append(fields, zap.Strings("containers", namesOf(t.next.Assignment.Containers)))...)
	}
	a.told = true
}

// assignmentChanges returns what has changed an assignment, "" for nothing, and which
// containers it adds, changes and removes. What dockhostctl declares is told when it is
// declared.
func assignmentChanges(old, next *accepted) (by string, changes []zap.Field) {
	if old == nil {
		old = &accepted{}
	}
	var added, changed, removed []string
	compare := func(what string, old, next []spec.Container) {
		a, c, r := compareContainers(old, next)
		if len(a)+len(c)+len(r) > 0 && by == "" {
			by = what
		}
		added, changed, removed = append(added, a...), append(changed, c...), append(removed, r...)
	}
	compare(byUserData, old.UserData.Containers, next.UserData.Containers)
	compare(byFile, fileContainers(old), fileContainers(next))
	for key, names := range map[string][]string{"added": added, "changed": changed, "removed": removed} {
		if len(names) > 0 {
			slices.Sort(names)
			changes = append(changes, zap.Strings(key, names))
		}
	}
	slices.SortFunc(changes, func(a, b zap.Field) int { return len(a.Key) - len(b.Key) })
	return by, changes
}

// compareContainers returns the names of the containers that differ.
func compareContainers(old, next []spec.Container) (added, changed, removed []string) {
	for _, c := range next {
		switch before := containerNamed(old, c.Name); {
		case before == nil:
			added = append(added, c.Name)
		case !equal(spec.Assignment{Containers: []spec.Container{*before}}, spec.Assignment{Containers: []spec.Container{c}}):
			changed = append(changed, c.Name)
		}
	}
	for _, c := range old {
		if containerNamed(next, c.Name) == nil {
			removed = append(removed, c.Name)
		}
	}
	return added, changed, removed
}

func fileContainers(a *accepted) []spec.Container {
	var all []spec.Container
	for _, assignment := range a.Files {
		all = append(all, assignment.Containers...)
	}
	return all
}

func namesOf(containers []spec.Container) []string {
	names := []string{}
	for _, c := range containers {
		names = append(names, c.Name)
	}
	return names
}
