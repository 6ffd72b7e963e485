package gce

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dockhost/dockhost/internal/document"
)

// fields calls read for each known key of a mapping. Like konlet it ignores other
// keys: the keys of a Kubernetes pod, with a note, and unknown and misplaced ones,
// with a warning. Where an ignored key could change who may do what, or where data
// is kept, it is a problem.
func (c *converter) fields(at spot, known, ignored []string, read func(name string, value spot)) {
	c.eachField(at, known, ignored, read, c.unknown)
}

// strictFields is fields for mappings about privileges and volumes: an unknown key
// is a problem.
func (c *converter) strictFields(at spot, known, ignored []string, read func(name string, value spot)) {
	c.eachField(at, known, ignored, read, func(value spot, name string, known []string) {
		c.UnknownKey(value, name, known, "")
	})
}

func (c *converter) eachField(at spot, known, ignored []string, read func(name string, value spot), unknown func(value spot, name string, known []string)) {
	if at.IsNull() || !at.Present() {
		return
	}
	if !at.IsMapping() {
		c.Errorf(at, "not a mapping: write KEY: VALUE below it, indented")
		return
	}
	for name, value := range at.Fields() {
		switch {
		case slices.Contains(known, name):
			if !value.IsNull() {
				read(name, value)
			}
		case slices.Contains(ignored, name):
			c.note(value, "%s has no effect, as with konlet", name)
		default:
			unknown(value, name, known)
		}
	}
}

// home is where a key of a declaration belongs.
type home struct {
	place string
	// guarded says that the key grants privileges, or says where data is kept.
	guarded bool
}

func homes() map[string]home {
	const container = "spec.containers[0]"
	return map[string]home{
		"containers": {"spec", false}, "restartPolicy": {"spec", false}, "volumes": {"spec", true},
		"args": {container, false}, "command": {container, false}, "env": {container, false}, "image": {container, false},
		"stdin": {container, false}, "tty": {container, false},
		"securityContext": {container, true}, "volumeMounts": {container, true},
		"privileged": {container + ".securityContext", true},
		"emptyDir":   {"spec.volumes", true}, "gcePersistentDisk": {"spec.volumes", true}, "hostPath": {"spec.volumes", true},
		"mountPath": {container + ".volumeMounts", true}, "readOnly": {container + ".volumeMounts", true},
	}
}

// unknown handles a key that konlet did not know in this place.
func (c *converter) unknown(value spot, name string, known []string) {
	all := homes()
	_, misplaced := all[name]
	near := name
	if !misplaced {
		near = document.Nearest(name, append(slices.Sorted(maps.Keys(all)), known...))
	}
	var where string
	switch {
	case misplaced:
		where = fmt.Sprintf("%s belongs below %s", name, all[name].place)
	case near != "":
		where = fmt.Sprintf("unknown key (did you mean %q?)", near)
	default:
		where = "unknown key"
	}
	if all[near].guarded {
		c.Errorf(value, "%s", where)
		return
	}
	c.mistakes = append(c.mistakes, mistake{value, where})
	c.note(value, "%s: it has no effect, as with konlet", where)
	c.Notes[len(c.Notes)-1].Warning = true
}

// mistake is an unknown key. It is a problem too if the declaration has problems:
// it may be their cause.
type mistake struct {
	at   spot
	text string
}
