package agent

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// What is asked for has three layers: the user data, the files in
// /etc/dockhost/containers, and what dockhostctl run declared. Where two of
// them have a container of the same name, the first one counts.

// declaration is one container, as one layer has it.
type declaration struct {
	container *spec.Container
	origin    api.Origin
	// file is the base name of the file, for OriginFile.
	file string
}

// declarations yields everything that is asked for, in the order in which it
// counts.
func (k *accepted) declarations(yield func(declaration) bool) {
	if k == nil {
		return
	}
	for i := range k.UserData.Containers {
		if !yield(declaration{container: &k.UserData.Containers[i], origin: api.OriginUserData}) {
			return
		}
	}
	for _, file := range slices.Sorted(maps.Keys(k.Files)) {
		containers := k.Files[file].Containers
		for i := range containers {
			if !yield(declaration{container: &containers[i], origin: api.OriginFile, file: file}) {
				return
			}
		}
	}
	for i := range k.Local {
		if !yield(declaration{container: &k.Local[i], origin: api.OriginLocal}) {
			return
		}
	}
}

// declared returns the declaration that counts for a name.
func (k *accepted) declared(name string) (declaration, bool) {
	for d := range k.declarations {
		if d.container.Name == name {
			return d, true
		}
	}
	return declaration{}, false
}

// local returns what dockhostctl run declared under a name, nil when it
// declared nothing.
func (k *accepted) local(name string) *spec.Container {
	if k == nil {
		return nil
	}
	return find(k.Local, name)
}

// asked is everything that is asked for, of all layers.
func (k *accepted) asked() spec.Assignment {
	asked := spec.Assignment{Containers: []spec.Container{}}
	for d := range k.declarations {
		if find(asked.Containers, d.container.Name) == nil {
			asked.Containers = put(asked.Containers, *d.container)
		}
	}
	for _, registries := range k.logins() {
		for host, login := range registries {
			if asked.Registries == nil {
				asked.Registries = map[string]spec.Registry{}
			}
			asked.Registries[host] = login
		}
	}
	return asked
}

// logins are the logins of each layer; the later ones count.
func (k *accepted) logins() []map[string]spec.Registry {
	var logins []map[string]spec.Registry
	for _, file := range slices.Backward(slices.Sorted(maps.Keys(k.Files))) {
		logins = append(logins, k.Files[file].Registries)
	}
	return append(logins, k.UserData.Registries)
}

// origin says where the container of that name that is in force comes from, ""
// when there is none.
func (k *accepted) origin(name string) api.Origin {
	if k.container(name) == nil {
		return ""
	}
	d, _ := k.declared(name)
	return d.origin
}

// assigns says whether the user data that was accepted last assigns anything.
func (k *accepted) assigns() bool { return k != nil && len(k.UserData.Containers) > 0 }

// counts returns how many containers in force come from each layer.
func (k *accepted) counts() map[api.Origin]int {
	counts := map[api.Origin]int{}
	if k != nil {
		for _, c := range k.Assignment.Containers {
			counts[k.origin(c.Name)]++
		}
	}
	return counts
}

// clashes are the problems of containers that several layers have.
func (k *accepted) clashes() []string {
	var problems []string
	counts := map[string]declaration{}
	for d := range k.declarations {
		first, clash := counts[d.container.Name]
		if !clash {
			counts[d.container.Name] = d
			continue
		}
		problems = append(problems, fmt.Sprintf("container %q is declared by %s, and by %s, too: the first counts (%s)",
			d.container.Name, first.by(), d.by(), d.cure()))
	}
	return problems
}

// by says who declared a container.
func (d declaration) by() string {
	switch d.origin {
	case api.OriginFile:
		return filepath.Join(filesDir, d.file)
	case api.OriginLocal:
		return "dockhostctl run"
	case api.OriginUserData:
	}
	return "the user data"
}

// cure says how to be rid of a declaration.
func (d declaration) cure() string {
	switch d.origin {
	case api.OriginFile:
		return "take it out of the file"
	case api.OriginLocal:
		return "forget the other with: dockhostctl rm " + d.container.Name
	case api.OriginUserData:
	}
	return "take it out there"
}

// isFor says whether what was accepted is for this instance. What was accepted
// before there was an instance-id is for the machine.
func (k *accepted) isFor(instanceID string, s store) bool {
	if k.InstanceID == "" {
		return k.isOf(s)
	}
	return k.InstanceID == instanceID
}

// isOf says whether what was accepted was accepted on this machine. A clone of
// another one must not run what that one was assigned.
func (k *accepted) isOf(s store) bool {
	uuid := s.productUUID()
	return k.MachineID == s.machineID() && (k.ProductUUID == "" || uuid == "" || k.ProductUUID == uuid)
}

// clone returns a copy that can be changed without changing the original's
// lists.
func (k *accepted) clone() *accepted {
	c := *k
	c.Assignment.Containers = slices.Clone(k.Assignment.Containers)
	c.Local, c.Files = slices.Clone(k.Local), maps.Clone(k.Files)
	return &c
}

// forget removes what dockhostctl run declared under a name.
func (k *accepted) forget(name string) {
	if k.origin(name) == api.OriginLocal {
		k.Assignment.Containers = without(k.Assignment.Containers, name)
	}
	k.Local = without(k.Local, name)
}

// equal says whether two assignments are the same.
func equal(a, b spec.Assignment) bool {
	rawA, errA := json.Marshal(a)
	rawB, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(rawA, rawB)
}

func find(containers []spec.Container, name string) *spec.Container {
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
