package agent

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// store holds what the host accepted, and the changes that are pending.
type store struct {
	file storeFile

	mu sync.Mutex
	// known is true once the agent has read what the host should run.
	known    bool
	source   api.Source
	accepted *accepted
	// unsaved is why accepted is not on the disk; nil if it is.
	unsaved error
	// pending has the successors that are not in force yet, by container.
	pending map[string]api.Pending
	// changed is closed and replaced whenever accepted or pending changes.
	changed chan struct{}
}

func newStore(file storeFile) *store {
	return &store{file: file, pending: map[string]api.Pending{}, changed: make(chan struct{})}
}

// snapshot is the content of the store at one time.
type snapshot struct {
	known    bool
	source   api.Source
	accepted *accepted
	pending  map[string]api.Pending
}

func (s *store) snapshot() snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	source := s.source
	source.Problems = slices.Clone(source.Problems)
	if s.unsaved != nil {
		source.Problems = append(source.Problems, problems(s.unsaved)...)
	}
	if s.accepted != nil && s.accepted.Datasource != "" {
		at := s.accepted.At
		source.AcceptedAt = &at
	}
	return snapshot{known: s.known, source: source, accepted: s.accepted, pending: maps.Clone(s.pending)}
}

// save writes an assignment to the disk.
func (s *store) save(a *accepted) error {
	err := s.file.save(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || s.accepted == a {
		s.unsaved = err
	}
	return err
}

// unsavedAssignment returns a copy of what is accepted if it is not on the disk, nil if it is.
func (s *store) unsavedAssignment() *accepted {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsaved == nil || s.accepted == nil {
		return nil
	}
	return s.accepted.clone()
}

// saveAgain saves what is accepted, if that has failed.
func (s *store) saveAgain() error {
	s.mu.Lock()
	a, unsaved := s.accepted, s.unsaved
	s.mu.Unlock()
	if unsaved == nil {
		return nil
	}
	return s.save(a)
}

// container returns the container in force under a name, nil if the name is unknown.
func (s *store) container(name string) *spec.Container {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted.container(name)
}

// instanceID returns the instance-id of what is accepted, "" without one. At a boot it is
// known before the user data is there.
func (s *store) instanceID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepted == nil {
		return ""
	}
	return s.accepted.InstanceID
}

// names returns the names of the containers in force.
func (s *store) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepted == nil {
		return nil
	}
	var names []string
	for _, c := range s.accepted.Assignment.Containers {
		names = append(names, c.Name)
	}
	return names
}

// nextChange returns a channel that is closed when accepted or pending changes.
func (s *store) nextChange() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// announce wakes those who wait for a change. The caller holds mu.
func (s *store) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// begin replaces everything by what a reconcile has read. What was pending before
// is dropped, and the plan's successors are pending.
func (s *store) begin(source api.Source, p plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.accepted.dropOldStops()
	s.source, s.accepted, s.known = source, p.accepted, true
	clear(s.pending)
	for _, next := range p.successors {
		s.pending[next.Name] = api.Pending{Image: next.Image, Doing: "waiting"}
	}
	s.announce()
}

func (s *store) addProblem(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source.Problems = append(s.source.Problems, problems(err)...)
}

// showPending says what is done about a successor; nil without one.
func (s *store) showPending(name string, pending *api.Pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, had := s.pending[name]
	switch {
	case pending != nil:
		s.pending[name] = *pending
	case s.accepted.container(name) != nil:
		delete(s.pending, name)
	}
	if now, has := s.pending[name]; now != before || has != had {
		s.announce()
	}
}

// showChange wakes those who wait for a change, after one that the store does not hold.
func (s *store) showChange() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.announce()
}

// setInForce says that an assignment is accepted, and leaves what is pending.
func (s *store) setInForce(next *accepted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = next
	s.announce()
}

// setAccepted says that an assignment is accepted in which a container is in
// force.
func (s *store) setAccepted(next *accepted, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = next
	delete(s.pending, name)
	s.announce()
}

// setDeclared says that an assignment is accepted in which a container has a
// successor.
func (s *store) setDeclared(next *accepted, successor *spec.Container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = next
	s.pending[successor.Name] = api.Pending{Image: successor.Image, Doing: "waiting"}
	s.announce()
}

// setForgotten says that an assignment is accepted in which a local container is
// forgotten. One that is declared elsewhere, too, may still have a successor.
func (s *store) setForgotten(next *accepted, name string, elsewhere bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = next
	if !elsewhere {
		delete(s.pending, name)
	}
	s.announce()
}

// draft returns a copy of what is accepted, for a change; an empty one for this
// machine when nothing is.
func (s *store) draft() *accepted {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepted != nil {
		return s.accepted.clone()
	}
	return newAccepted(s.file, s.source)
}

// withSuccessor returns a copy of what is accepted, in which a container is
// replaced by its successor.
func (s *store) withSuccessor(next *spec.Container) *accepted {
	draft := s.draft()
	if old := draft.container(next.Name); old != nil {
		*old = *next
	}
	draft.dropOldStops()
	return draft
}

// pendingLocal returns what dockhostctl run declared under a name, if that is not
// in force yet.
func (s *store) pendingLocal(name string) *spec.Container {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, isPending := s.pending[name]; !isPending {
		return nil
	}
	return s.accepted.local(name)
}

// declaredElsewhere returns an error if the user data or a file declares a
// container: there a declaration of dockhostctl run does not count.
func (s *store) declaredElsewhere(name, cure string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, declared := s.accepted.declared(name)
	switch {
	case !declared || d.origin == api.OriginLocal:
		return nil
	case d.origin == api.OriginFile:
		return fmt.Errorf("container %q is %w, in %s: %s", name, errDeclared, d.by(), cure)
	case s.source.Path == "":
		return fmt.Errorf("container %q is %w, in the user data: %s", name, errDeclared, cure)
	}
	return fmt.Errorf("container %q is %w, in the user data (%s): %s", name, errDeclared, s.source.Path, cure)
}
