package housekeeping

import (
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/dockhost/dockhost/spec"
)

// repositories returns the names of an image without tags and digests. dockhost's own names
// are those of containers: their images have nothing in common.
func (i *Image) repositories() []string {
	var names []string
	for _, ref := range slices.Concat(i.Tags, i.Digests) {
		if name := repository(ref); !isKept(ref) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// hasTag reports whether an image has a tag that is not dockhost's own. Its own tags protect
// the images of the containers that are assigned, and no others.
func (i *Image) hasTag() bool {
	return slices.ContainsFunc(i.Tags, func(tag string) bool { return !isKept(tag) })
}

// isKept reports whether a reference is one by which dockhost protects an image.
func isKept(ref string) bool { return strings.HasPrefix(ref, spec.KeptImages) }

// referenceIn returns the reference of an image that is in a normalized set, or "".
// A set may also name the image by its ID.
func (i *Image) referenceIn(set map[string]bool) string {
	for _, ref := range slices.Concat(i.Tags, i.Digests) {
		if set[normalize(ref)] {
			return ref
		}
	}
	for ref := range set {
		if isIDOf(ref, i.ID) {
			return ref
		}
	}
	return ""
}

func repository(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return named.Name()
}

// normalized returns a set of normalized references.
func normalized(refs []string) map[string]bool {
	set := make(map[string]bool, len(refs))
	for _, ref := range refs {
		set[normalize(ref)] = true
	}
	return set
}

// normalize returns a reference in full: with its digest if it has one, otherwise
// with its tag.
func normalize(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	if digested, ok := named.(reference.Digested); ok {
		return named.Name() + "@" + digested.Digest().String()
	}
	return reference.TagNameOnly(named).String()
}

// isIDOf reports whether a name is the ID of an image, or the beginning of it. Such a
// name looks like a repository of Docker Hub.
func isIDOf(name, id string) bool {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "docker.io/library/"), ":latest")
	name = strings.TrimPrefix(name, "sha256:")
	return len(name) >= 12 && strings.HasPrefix(strings.TrimPrefix(id, "sha256:"), name)
}
