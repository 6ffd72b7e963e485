package agent

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// isFor says whether what was accepted is for this instance. What was accepted
// before there was an instance-id is for the machine.
func (k *accepted) isFor(instanceID, machineID string) bool {
	if k.InstanceID == "" {
		return k.MachineID == machineID
	}
	return k.InstanceID == instanceID
}

// declared returns what dockhostctl run declared under a name, nil when it
// declared nothing.
func (k *accepted) declared(name string) *spec.Container {
	if k == nil {
		return nil
	}
	return find(k.Local, name)
}

// origin says where the container of that name that is in force comes from, ""
// when there is none.
func (k *accepted) origin(name string) api.Origin {
	switch {
	case k.container(name) == nil:
		return ""
	case k.declared(name) != nil && !slices.Contains(k.Shadowed, name):
		return api.OriginLocal
	}
	return api.OriginUserData
}

// assigns says whether anything in force comes from user data.
func (k *accepted) assigns() bool {
	assigned, _ := k.counts()
	return assigned > 0
}

// counts returns how many containers come from user data, and how many are
// local.
func (k *accepted) counts() (assigned, local int) {
	if k == nil {
		return 0, 0
	}
	for _, c := range k.Assignment.Containers {
		if k.origin(c.Name) == api.OriginLocal {
			local++
		} else {
			assigned++
		}
	}
	return assigned, local
}

// clashes are the problems of what the user data assigns and dockhostctl run
// declared as well.
func (k *accepted) clashes() []string {
	if k == nil {
		return nil
	}
	var problems []string
	for _, name := range k.Shadowed {
		problems = append(problems, fmt.Sprintf("container %q is assigned by the user data, and was declared with dockhostctl run, too: "+
			"the user data counts (forget the other with: dockhostctl rm %s)", name, name))
	}
	return problems
}

// clone returns a copy that can be changed without changing the original's
// lists.
func (k *accepted) clone() *accepted {
	c := *k
	c.Assignment.Containers = slices.Clone(k.Assignment.Containers)
	c.Local, c.Shadowed = slices.Clone(k.Local), slices.Clone(k.Shadowed)
	return &c
}

// withoutLocal returns a copy of what comes from user data.
func (k *accepted) withoutLocal() *accepted {
	c := k.clone()
	c.Assignment.Containers = slices.DeleteFunc(c.Assignment.Containers, func(c spec.Container) bool { return k.origin(c.Name) == api.OriginLocal })
	c.Local, c.Shadowed = nil, nil
	return c
}

// addLocal adds what dockhostctl run declared to what the user data assigns,
// which wins.
func (k *accepted) addLocal(local []spec.Container) {
	k.Local = slices.Clone(local)
	for _, c := range local {
		if k.container(c.Name) != nil {
			k.Shadowed = append(k.Shadowed, c.Name)
			continue
		}
		k.Assignment.Containers = put(k.Assignment.Containers, c)
	}
}

// forget removes what dockhostctl run declared under a name.
func (k *accepted) forget(name string) {
	if k.origin(name) == api.OriginLocal {
		k.Assignment.Containers = without(k.Assignment.Containers, name)
	}
	k.Local = without(k.Local, name)
	k.Shadowed = slices.DeleteFunc(k.Shadowed, func(shadowed string) bool { return shadowed == name })
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
