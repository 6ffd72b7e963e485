package compose

import (
	"strings"

	"github.com/distribution/reference"

	"github.com/dockhost/dockhost/spec"
)

// registries reads the logins. Nothing of a login gets into a message, and its
// values are taken as they are: "$" has no meaning in a password.
func (r *report) registries(section spot) map[string]spec.Registry {
	if section.isNull() {
		return nil
	}
	if !section.isMapping() {
		r.errorf(section, "not a mapping: write HOST: {username: ..., password: ...} below it, indented")
		return nil
	}
	logins := map[string]spec.Registry{}
	for host, at := range section.fields() {
		if strings.Contains(host, "@") { // a login in a URL: not even the path may show it
			at.path = section.path
		}
		r.checkRegistryHost(at, host)
		if !at.isMapping() {
			r.errorf(at, "not a login: write {username: ..., password: ...}")
			continue
		}
		login := spec.Registry{Username: r.credential(at, "username"), Password: r.credential(at, "password")}
		for name, value := range at.fields() {
			if name != "username" && name != "password" {
				r.unknownKey(value, name, []string{"username", "password"}, "")
			}
		}
		logins[host] = login
	}
	return logins
}

// checkRegistryHost notes a host that no image reference could name.
func (r *report) checkRegistryHost(at spot, host string) {
	if strings.ContainsAny(host, "/@") {
		r.errorf(at, "cannot use this as a registry: write HOST or HOST:PORT, without a scheme, a path and a user (Docker Hub is docker.io)")
		return
	}
	named, err := reference.ParseNormalizedNamed(host + "/image")
	switch {
	case err != nil:
		r.errorf(at, "cannot use this as a registry: write HOST or HOST:PORT, as an image reference names it")
	case host == "index.docker.io":
		r.errorf(at, "write docker.io: that is how an image reference names this registry")
	case reference.Domain(named) != host:
		r.errorf(at, "an image reference does not take this for a registry: it needs a dot or a port, such as %s:5000", shorten(host))
	}
}

// credential returns a required string of a login.
func (r *report) credential(at spot, name string) string {
	value := at.field(name)
	switch {
	case !value.present():
		r.errorf(value, "missing: a login has a username and a password")
	case !isText(value.node):
		r.errorf(value, "not a string: put it in quotes")
	case value.text() == "":
		r.errorf(value, "empty: a login has a username and a password")
	}
	return value.text()
}
