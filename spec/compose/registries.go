package compose

import (
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/distribution/reference"

	"github.com/dockhost/dockhost/spec"
)

// registries reads the logins. Nothing of a login gets into a message, and its
// values are taken as they are: "$" has no meaning in a password.
func (r *report) registries(section spot) map[string]spec.Registry {
	if !section.Present() || section.IsNull() {
		return nil
	}
	if !section.IsMapping() {
		r.Errorf(section, "not a mapping: write HOST: {username: ..., password: ...} below it, indented")
		return nil
	}
	logins := map[string]spec.Registry{}
	for host, at := range section.Fields() {
		if strings.Contains(host, "@") { // a login in a URL: not even the path may show it
			at.Path = section.Path
		}
		r.checkRegistryHost(at, host)
		if !at.IsMapping() {
			r.Errorf(at, "not a login: write {username: ..., password: ...}")
			continue
		}
		login := spec.Registry{Username: r.credential(at, "username"), Password: r.credential(at, "password")}
		for name, value := range at.Fields() {
			if name != "username" && name != "password" {
				r.UnknownKey(value, name, []string{"username", "password"}, "")
			}
		}
		logins[host] = login
	}
	return logins
}

// checkRegistryHost notes a host that no image reference could name.
func (r *report) checkRegistryHost(at spot, host string) {
	if strings.ContainsAny(host, "/@") {
		r.Errorf(at, "cannot use this as a registry: write HOST or HOST:PORT, without a scheme, a path and a user (Docker Hub is docker.io)")
		return
	}
	named, err := reference.ParseNormalizedNamed(host + "/image")
	switch {
	case err != nil:
		r.Errorf(at, "cannot use this as a registry: write HOST or HOST:PORT, as an image reference names it")
	case host == "index.docker.io":
		r.Errorf(at, "write docker.io: that is how an image reference names this registry")
	case reference.Domain(named) != host:
		r.Errorf(at, "an image reference does not take this for a registry: it needs a dot or a port, such as %s:5000", document.Shorten(host))
	}
}

// credential returns a required string of a login.
func (r *report) credential(at spot, name string) string {
	value := at.Field(name)
	switch {
	case !value.Present():
		r.Errorf(value, "missing: a login has a username and a password")
	case !isText(value.Node):
		r.Errorf(value, "not a string: put it in quotes")
	case value.Text() == "":
		r.Errorf(value, "empty: a login has a username and a password")
	}
	return value.Text()
}
