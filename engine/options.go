package engine

import (
	"os/user"
	"path/filepath"
)

// Options select the Engine and the registry logins.
type Options struct {
	// Host is the Engine's address in the form of DOCKER_HOST. "" is Docker's
	// default, unix:///var/run/docker.sock.
	Host   string
	Access Access
	// Logins are searched in this order for a registry's login.
	Logins []LoginFile
	// Credentials are directories with systemd credentials, searched in this order.
	Credentials []string
}

// FromEnvironment returns the options that the docker command would take from the
// environment: DOCKER_HOST, [Access], and the logins in the [ConfigDir] and in an old
// .dockercfg. Two sources precede these logins: the directories in first, each with
// a config.json, and then a config.json that systemd passes as a credential
// (LoadCredential=docker-config:FILE).
func FromEnvironment(getenv func(string) string, first ...string) Options {
	o := Options{Host: getenv("DOCKER_HOST"), Access: accessFrom(getenv)}
	for _, dir := range first {
		o.Logins = append(o.Logins, ConfigFile(dir))
	}
	o.Credentials = credentialStores()
	if dir := getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		o.Credentials = append([]string{dir}, o.Credentials...)
		o.Logins = append(o.Logins, LoginFile{Path: filepath.Join(dir, "docker-config")})
	}
	o.Logins = append(o.Logins, ConfigFile(ConfigDir(getenv)))
	o.Logins = append(o.Logins, LoginFile{Path: filepath.Join(homeDir(getenv), ".dockercfg"), Old: true})
	return o
}

// ConfigDir returns the directory of the docker command's config.json: DOCKER_CONFIG,
// or .docker in the home directory.
func ConfigDir(getenv func(string) string) string {
	if dir := getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	return filepath.Join(homeDir(getenv), ".docker")
}

func homeDir(getenv func(string) string) string {
	if home := getenv("HOME"); home != "" {
		return home
	}
	// systemd does not set HOME for a service that runs as root.
	u, err := user.Current()
	if err != nil {
		return "/"
	}
	return u.HomeDir
}
