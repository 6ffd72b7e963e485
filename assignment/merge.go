package assignment

import (
	"fmt"

	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/compose"
)

// Source is one place that declares containers: the user data, a file, or dockhostctl
// run.
type Source struct {
	// Name is the place in messages.
	Name       string
	Containers []spec.Container
	// Cure says how to remove the declaration of a container.
	Cure func(container string) string
}

// Clash is a name or a port that two sources declare.
type Clash struct {
	// Source is the index of the later source.
	Source  int
	Message string
}

// Merge returns the containers of several sources, and where they clash. Of two
// containers with the same name, or with the same name in Docker, that of the first
// source counts. Two containers that publish the same port of the host both count,
// though only one of them can run.
func Merge(sources []Source) ([]spec.Container, []Clash) {
	m := merger{sources: sources, byName: map[string]placed{}, byDockerName: map[string]placed{}, ports: compose.HostPorts{}}
	for i := range sources {
		for j := range sources[i].Containers {
			m.add(placed{container: &sources[i].Containers[j], source: i})
		}
	}
	containers := make([]spec.Container, 0, len(m.placed))
	for _, p := range m.placed {
		containers = append(containers, *p.container)
	}
	return containers, m.clashes
}

// placed is a container and the source that declares it.
type placed struct {
	container *spec.Container
	source    int
}

type merger struct {
	sources              []Source
	placed               []placed
	byName, byDockerName map[string]placed
	ports                compose.HostPorts
	clashes              []Clash
}

func (m *merger) add(p placed) {
	if first, taken := m.byName[p.container.Name]; taken {
		m.clash(p, "container %q is declared by %s, and by %s, too: the first counts (%s)",
			p.container.Name, m.by(first), m.by(p), m.cure(p))
		return
	}
	if first, taken := m.byDockerName[p.container.DockerName()]; taken {
		m.clash(p, "containers %q of %s and %q of %s both have the name %q in Docker: the first counts (%s)",
			first.container.Name, m.by(first), p.container.Name, m.by(p), p.container.DockerName(), m.cure(p))
		return
	}
	if port, name := m.ports.Add(p.container); port != "" {
		if other := m.byName[name]; other.source != p.source {
			m.clash(p, "port %s of the host is published by container %q of %s, and by %q of %s, too: only one of them can run",
				port, name, m.by(other), p.container.Name, m.by(p))
		}
	}
	m.byName[p.container.Name], m.byDockerName[p.container.DockerName()] = p, p
	m.placed = append(m.placed, p)
}

func (m *merger) by(p placed) string { return m.sources[p.source].Name }

func (m *merger) cure(p placed) string {
	if cure := m.sources[p.source].Cure; cure != nil {
		return cure(p.container.Name)
	}
	return "take it out there"
}

func (m *merger) clash(p placed, format string, args ...any) {
	m.clashes = append(m.clashes, Clash{Source: p.source, Message: fmt.Sprintf(format, args...)})
}
