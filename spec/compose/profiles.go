package compose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// readProfiles reads the profiles that are active.
func (r *report) readProfiles(at spot) []string {
	if at.Present() && !at.IsNull() && !at.IsList() {
		r.Errorf(at, "not a list: write - PROFILE below it, indented")
	}
	var profiles []string
	for _, item := range at.Items() {
		if item.Text() == "" {
			r.Errorf(item, "not the name of a profile")
		}
		profiles = append(profiles, item.Text())
	}
	return profiles
}

// isActive reports whether a service has no profiles, or one that is active.
func (r *report) isActive(service spot) bool {
	profiles := service.Field("profiles")
	if !profiles.IsList() || len(profiles.Node.Content) == 0 || slices.Contains(r.sources.profiles, "*") {
		return true
	}
	for _, profile := range profiles.Items() {
		if slices.Contains(r.sources.profiles, profile.Text()) {
			return true
		}
	}
	return false
}

// active leaves out the services whose profiles are not active, with a warning for
// each.
func (r *report) active(declared []*declaration, containers []spec.Container) ([]*declaration, []spec.Container) {
	var kept []*declaration
	keptContainers := []spec.Container{}
	key := "profiles: beside containers:"
	if r.sources.inFile {
		key = "x-dockhost.profiles"
	}
	for i, d := range declared {
		if d.declared[d.name] {
			kept, keptContainers = append(kept, d), append(keptContainers, containers[i])
			continue
		}
		r.sources.warnings = append(r.sources.warnings, fmt.Sprintf("%s is left out: none of its profiles is active (%s; %s activates them)",
			d.at.Path, document.Shorten(strings.Join(d.service.Profiles, ", ")), key))
	}
	return kept, keptContainers
}
