package agent

import (
	"maps"

	"github.com/dockhost/dockhost/agent/api"
)

// stopped is the stop of a container. It lasts for the declaration that it stopped.
type stopped struct {
	api.Stopped

	// Hash is the [spec.Container.Hash] of the container without its pin.
	Hash string `json:"hash"`
}

// stop returns who has stopped a container, or one that it cannot run without; nil if
// nobody has.
func (a *accepted) stop(name string) *api.Stopped {
	if a == nil || len(a.Stopped) == 0 {
		return nil
	}
	return a.stopBut(name, map[string]bool{})
}

// stopBut is stop, without the containers that were seen.
func (a *accepted) stopBut(name string, seen map[string]bool) *api.Stopped {
	c := a.container(name)
	if c == nil || seen[name] {
		return nil
	}
	seen[name] = true
	if s, isStopped := a.Stopped[name]; isStopped && s.Hash == c.Unpinned().Hash() {
		return &s.Stopped
	}
	for i := range c.DependsOn {
		dependency := &c.DependsOn[i]
		if !dependency.Needed() {
			continue
		}
		if s := a.stopBut(dependency.Name, seen); s != nil {
			by := *s
			if a.Stopped[dependency.Name].Hash != "" {
				by.By += " " + dependency.Name
			}
			return &by
		}
	}
	return nil
}

// isStopped reports whether someone has stopped the container itself.
func (a *accepted) isStopped(name string) bool {
	if a == nil {
		return false
	}
	_, is := a.Stopped[name]
	return is && a.stop(name) != nil
}

// setStop notes that someone has stopped a container.
func (a *accepted) setStop(name string, by api.Stopped) {
	c := a.container(name)
	if c == nil {
		return
	}
	if a.Stopped == nil {
		a.Stopped = map[string]stopped{}
	}
	a.Stopped[name] = stopped{Stopped: by, Hash: c.Unpinned().Hash()}
}

// dropOldStops forgets the stops of what is not in force any more.
func (a *accepted) dropOldStops() {
	if a == nil {
		return
	}
	maps.DeleteFunc(a.Stopped, func(name string, s stopped) bool {
		c := a.container(name)
		return c == nil || s.Hash != c.Unpinned().Hash()
	})
}

// stop returns who has stopped a container, nil if nobody has.
func (s *store) stop(name string) *api.Stopped {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted.stop(name)
}
