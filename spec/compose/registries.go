package compose

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/distribution/reference"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// registries reads the logins. No message may quote a login. Values are not
// interpolated: "$" has no special meaning in a password.
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
		if strings.Contains(host, "@") { // a login in a URL: keep it out of the path too
			at.Path = section.Path
		}
		r.checkRegistryHost(at, host)
		if !at.IsMapping() {
			r.Errorf(at, "not a login: write {username: ..., password: ...}")
			continue
		}
		logins[host] = r.login(at, host)
	}
	return logins
}

// checkRegistryHost reports a host that cannot be in an image reference.
func (r *report) checkRegistryHost(at spot, host string) {
	if strings.ContainsAny(host, "/@") {
		r.Errorf(at, "cannot use this as a registry: write HOST or HOST:PORT, without a scheme, a path and a user (Docker Hub is docker.io)")
		return
	}
	named, err := reference.ParseNormalizedNamed(host + "/image")
	switch {
	case err != nil:
		r.Errorf(at, "cannot use this as a registry: write HOST or HOST:PORT, as in an image reference")
	case host == "index.docker.io":
		r.Errorf(at, "write docker.io: image references use that name for this registry")
	case reference.Domain(named) != host:
		r.Errorf(at, "image references do not treat this as a registry: write a name with a dot or a port, such as %s:5000", document.Shorten(host))
	}
}

// ways returns the keys of which a login needs exactly one.
func ways() []string {
	return []string{"password", "password_file", "password_credential", "credential_helper", "identity"}
}

// login reads one login: a username with a source for the password, or a source
// for both.
func (r *report) login(at spot, host string) spec.Registry {
	var login spec.Registry
	var used []string
	for name, value := range at.Fields() {
		if slices.Contains(ways(), name) {
			used = append(used, name)
		}
		switch name {
		case "username":
			login.Username = r.credential(value)
		case "password":
			login.Password = r.credential(value)
		case "password_file":
			login.PasswordFile = r.passwordFile(value)
		case "password_credential":
			login.PasswordCredential = r.matching(value, credentialName, "write the name of a systemd credential: letters, digits, _ . and -")
		case "credential_helper":
			login.CredentialHelper = r.matching(value, helperName, "write NAME of a program docker-credential-NAME: letters, digits, _ . and -")
		case "environment":
			login.Environment = r.helperEnvironment(value)
		case "identity":
			login.Identity = r.identity(value, host)
		default:
			r.UnknownKey(value, name, append(ways(), "environment", "username"), "")
		}
	}
	r.checkWays(at, used)
	return login
}

// checkWays reports keys that cannot be combined.
func (r *report) checkWays(at spot, used []string) {
	if len(used) > 1 {
		r.Errorf(at.Field(used[1]), "cannot be combined with %s: keep one of them", used[0])
		return
	}
	way := ""
	if len(used) == 1 {
		way = used[0]
	}
	withUser := strings.HasPrefix(way, "password")
	user := at.Field("username")
	switch {
	case way == "":
		r.Errorf(at.Field("password"), "missing: a login needs username with password, password_file or password_credential; or credential_helper; or identity")
	case withUser && !user.Present():
		r.Errorf(user, "missing: a login needs a username and a password")
	case !withUser && user.Present():
		r.Errorf(user, "%s provides the username: leave this out", way)
	}
	if environment := at.Field("environment"); environment.Present() && way != "credential_helper" {
		r.Errorf(environment, "has no effect without credential_helper: leave this out")
	}
}

var (
	// credentialName is stricter than systemd.exec(5), "Credentials", because the
	// name is a pattern in the unit file.
	credentialName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	helperName     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	// variableName is a portable name of an environment variable.
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// credential returns a string of a login.
func (r *report) credential(at spot) string {
	switch {
	case !isText(at.Node):
		r.Errorf(at, "not a string: put it in quotes")
	case at.Text() == "":
		r.Errorf(at, "empty: a login needs a username and a password")
	}
	return at.Text()
}

func (r *report) matching(at spot, pattern *regexp.Regexp, choice string) string {
	if !isText(at.Node) || len(at.Text()) > 200 || !pattern.MatchString(at.Text()) {
		r.Errorf(at, "cannot use this: %s", choice)
		return ""
	}
	return at.Text()
}

func (r *report) passwordFile(at spot) string {
	if !isText(at.Node) || !path.IsAbs(at.Text()) || strings.ContainsFunc(at.Text(), unicode.IsControl) {
		r.Errorf(at, "cannot use this: write the absolute path of a file that only root can read")
		return ""
	}
	return path.Clean(at.Text())
}

// googleRegistry is a registry that may get the token of a Google instance. No
// other registry may see the token.
var googleRegistry = regexp.MustCompile(`^((.+\.)?gcr\.io|.+\.pkg\.dev)$`)

// identity returns the cloud whose instance identity is the login.
func (r *report) identity(at spot, host string) string {
	switch {
	case at.Text() != "gce":
		r.Errorf(at, "unknown identity: write gce, for the default service account of a Google instance")
	case !googleRegistry.MatchString(host):
		r.Errorf(at, "cannot send the token of a Google instance to this registry: use it for gcr.io and pkg.dev")
	}
	return at.Text()
}

// helperEnvironment reads the environment of a credential helper. The values are
// secrets.
func (r *report) helperEnvironment(at spot) map[string]string {
	if at.IsNull() {
		return nil
	}
	if !at.IsMapping() {
		r.Errorf(at, "not an environment: write NAME: VALUE below it, indented")
		return nil
	}
	environment := map[string]string{}
	for name, value := range at.Fields() {
		switch {
		case !variableName.MatchString(name): // such as NAME=SECRET: keep it out of the path too
			value.Path = at.Path
			r.Errorf(value, "cannot use this as the name of a variable: write letters, digits and _")
		case !isText(value.Node):
			r.Errorf(value, "not a string: put it in quotes")
		case strings.Contains(value.Text(), "\x00"):
			r.Errorf(value, "a variable cannot contain a zero byte")
		}
		environment[name] = value.Text()
	}
	return environment
}

// giveCredentials adds to each unit the systemd credentials that it needs: to pull
// its image, and for secrets and configs.
func giveCredentials(assignment *spec.Assignment) {
	for i := range assignment.Containers {
		c := &assignment.Containers[i]
		var names []string
		if named, err := reference.ParseNormalizedNamed(c.Image); err == nil {
			names = append(names, assignment.Registries[reference.Domain(named)].PasswordCredential)
		}
		for _, file := range c.Files {
			names = append(names, file.Credential)
		}
		for _, name := range names {
			if name != "" && !slices.Contains(c.Credentials, name) {
				c.Credentials = append(c.Credentials, name)
			}
		}
	}
}
