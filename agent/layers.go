package agent

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/spec"
)

// Containers are declared in three layers: in the user data, in the files of
// /etc/dockhost/containers, and by dockhostctl run. If two of them declare a
// container of the same name, the first one counts.

// declaration is one container in one layer.
type declaration struct {
	container *spec.Container
	origin    api.Origin
	// file is the base name of the file, for OriginFile.
	file string
}

// declarations yields the declarations of all layers, those that count first.
func (a *accepted) declarations(yield func(declaration) bool) {
	if a == nil {
		return
	}
	for i := range a.UserData.Containers {
		if !yield(declaration{container: &a.UserData.Containers[i], origin: api.OriginUserData}) {
			return
		}
	}
	for _, file := range slices.Sorted(maps.Keys(a.Files)) {
		containers := a.Files[file].Containers
		for i := range containers {
			if !yield(declaration{container: &containers[i], origin: api.OriginFile, file: file}) {
				return
			}
		}
	}
	for i := range a.Local {
		if !yield(declaration{container: &a.Local[i], origin: api.OriginLocal}) {
			return
		}
	}
}

// declared returns the declaration that counts for a name.
func (a *accepted) declared(name string) (declaration, bool) {
	for d := range a.declarations {
		if d.container.Name == name {
			return d, true
		}
	}
	return declaration{}, false
}

// local returns what dockhostctl run declared under a name, nil if it declared
// nothing.
func (a *accepted) local(name string) *spec.Container {
	if a == nil {
		return nil
	}
	return containerNamed(a.Local, name)
}

// merged returns what all layers together declare.
func (a *accepted) merged() spec.Assignment {
	merged := spec.Assignment{}
	merged.Containers, _ = assignment.Merge(a.sources())
	slices.SortFunc(merged.Containers, func(a, b spec.Container) int { return cmp.Compare(a.Name, b.Name) })
	for i := range merged.Containers {
		addUlimits(&merged.Containers[i], a.Ulimits)
	}
	for _, registries := range a.logins() {
		for host, login := range registries {
			if merged.Registries == nil {
				merged.Registries = map[string]spec.Registry{}
			}
			merged.Registries[host] = login
		}
	}
	return merged
}

// logins returns the registry logins of each layer; later ones count.
func (a *accepted) logins() []map[string]spec.Registry {
	var logins []map[string]spec.Registry
	for _, file := range slices.Backward(slices.Sorted(maps.Keys(a.Files))) {
		logins = append(logins, a.Files[file].Registries)
	}
	return append(logins, a.UserData.Registries)
}

// origin returns where the container in force under a name is declared, "" when
// there is no such container.
func (a *accepted) origin(name string) api.Origin {
	if a.container(name) == nil {
		return ""
	}
	d, _ := a.declared(name)
	return d.origin
}

// counts returns how many containers in force come from each layer.
func (a *accepted) counts() map[api.Origin]int {
	counts := map[api.Origin]int{}
	if a != nil {
		for _, c := range a.Assignment.Containers {
			counts[a.origin(c.Name)]++
		}
	}
	return counts
}

// sources returns all layers, those that count first.
func (a *accepted) sources() []assignment.Source {
	var sources []assignment.Source
	for d := range a.declarations {
		if last := len(sources) - 1; last < 0 || sources[last].Name != d.by() {
			sources = append(sources, assignment.Source{Name: d.by(), Cure: d.cure})
		}
		last := &sources[len(sources)-1]
		last.Containers = append(last.Containers, *d.container)
	}
	return sources
}

// clashes returns a problem for each name or port that several layers declare.
func (a *accepted) clashes() []string {
	var problems []string
	_, clashes := assignment.Merge(a.sources())
	for _, clash := range clashes {
		problems = append(problems, clash.Message)
	}
	return problems
}

// by names the layer of a declaration.
func (d declaration) by() string {
	switch d.origin {
	case api.OriginFile:
		return filepath.Join(filesDir, d.file)
	case api.OriginLocal:
		return "dockhostctl run"
	case api.OriginUserData, api.OriginUnit:
	}
	return "the user data"
}

// cure says how to remove the declaration of a container from the layer.
func (d declaration) cure(container string) string {
	switch d.origin {
	case api.OriginFile:
		return "take it out of the file"
	case api.OriginLocal:
		return "forget the other with: dockhostctl rm " + container
	case api.OriginUserData, api.OriginUnit:
	}
	return "take it out there"
}

// equal reports whether two assignments are the same.
func equal(a, b spec.Assignment) bool {
	rawA, errA := json.Marshal(a)
	rawB, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(rawA, rawB)
}

// containerNamed returns the container of a name, nil if the name is unknown.
func containerNamed(containers []spec.Container, name string) *spec.Container {
	for i := range containers {
		if containers[i].Name == name {
			return &containers[i]
		}
	}
	return nil
}

// put adds a container, or replaces the one of its name. The list stays sorted.
func put(containers []spec.Container, c spec.Container) []spec.Container {
	i, found := slices.BinarySearchFunc(containers, c.Name, func(c spec.Container, name string) int { return cmp.Compare(c.Name, name) })
	if found {
		containers[i] = c
		return containers
	}
	return slices.Insert(containers, i, c)
}

func without(containers []spec.Container, name string) []spec.Container {
	return slices.DeleteFunc(containers, func(c spec.Container) bool { return c.Name == name })
}
