package compose

import (
	"slices"

	"github.com/compose-spec/compose-go/v2/override"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// extendAll applies extends to all services of a file.
func (r *report) extendAll(f *composeFile) {
	services := f.top.Field("services")
	for name, service := range services.Fields() {
		if service.IsMapping() {
			r.extend(f, name, nil)
		}
	}
}

// extend applies extends to a service of a file, in place, and returns the service.
// trail has the services that lead to it.
func (r *report) extend(f *composeFile, name string, trail []string) spot {
	service := f.top.Field("services").Field(name)
	extends := service.Field("extends")
	if !service.IsMapping() || !extends.Present() || extends.IsNull() {
		*service.Node = *service.Without(func(key string) bool { return r.sources.resets[service.Field(key).Key] }).Node
		return service
	}
	own := service.Without(func(key string) bool { return key == "extends" })
	place := f.name + "/" + name
	r.sources.notExtended[service.Node] = true
	if slices.Contains(trail, place) || len(trail) > maxTrail {
		r.Errorf(extends, "these services extend each other in a circle")
	} else if base, found := r.baseOf(f, extends, append(trail, place)); found {
		own.Node = r.merge(base, own, extends)
		delete(r.sources.notExtended, service.Node)
	}
	*service.Node = *own.Node
	return service
}

// baseOf returns the service that extends names.
func (r *report) baseOf(f *composeFile, extends spot, trail []string) (spot, bool) {
	name, file := extends, spot{}
	if extends.IsMapping() {
		checked := r.Check(extends, document.Only("service", "file"))
		name, file = checked.Field("service"), checked.Field("file")
	}
	if name.Text() == "" {
		r.Errorf(extends, "no service: write service: with the name of the service to extend")
		return spot{}, false
	}
	if file.Present() {
		if f = r.openFile(file, f, file.Text(), f.vars); f == nil {
			return spot{}, false
		}
	}
	base := f.top.Field("services").Field(name.Text())
	if !base.IsMapping() {
		r.Errorf(name, "no service %q is declared there", document.Shorten(name.Text()))
		return spot{}, false
	}
	return r.extend(f, name.Text(), trail), true
}

// merge returns a service with what it takes from its base, by Compose's rules. A
// key that only one of them has keeps its place in the source.
func (r *report) merge(base, own, at spot) *yaml.Node {
	base = base.Without(func(key string) bool {
		mine := own.Field(key).Key
		return own.Field(key).Present() && (r.sources.resets[mine] || r.sources.replaces[mine])
	})
	own = own.Without(func(key string) bool { return r.sources.resets[own.Field(key).Key] })
	merged, err := mergePlain(base, own)
	if err != nil {
		r.Errorf(at, "cannot combine the two services: %s", foreign(err))
		return own.Node
	}
	result := *own.Node
	result.Content = nil
	for key, value := range own.Fields() {
		if base.Field(key).Present() {
			encoded := &yaml.Node{}
			if encoded.Encode(merged[key]) == nil {
				moveTo(encoded, value.Node)
				value.Node = encoded
			}
		}
		result.Content = append(result.Content, value.Key, value.Node)
	}
	for key, value := range base.Fields() {
		if !own.Field(key).Present() {
			result.Content = append(result.Content, value.Key, value.Node)
		}
	}
	return &result
}

func mergePlain(base, own spot) (merged map[string]any, err error) {
	defer func() {
		if recover() != nil {
			merged, err = nil, errPanicked
		}
	}()
	below, _ := plain(base.Node, false).(map[string]any)
	above, _ := plain(own.Node, false).(map[string]any)
	if merged, err = override.ExtendService(below, above); err != nil {
		return nil, err
	}
	whole, err := override.EnforceUnicity(map[string]any{"services": map[string]any{alone: merged}})
	if err != nil {
		return nil, err
	}
	services, _ := whole["services"].(map[string]any)
	merged, _ = services[alone].(map[string]any)
	return merged, nil
}

// moveTo gives a tree that was made the place of one in the source.
func moveTo(n, place *yaml.Node) {
	n.Line, n.Column, n.Tag = place.Line, place.Column, n.ShortTag()
	for _, child := range n.Content {
		moveTo(child, place)
	}
}
