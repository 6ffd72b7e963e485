package engine

import (
	"os/user"
	"path/filepath"
)

// Options say which Engine to talk to and with which logins.
type Options struct {
	// Host is the Engine's address as DOCKER_HOST has it; "" is Docker's own
	// default, unix:///var/run/docker.sock.
	Host string
	// Logins are asked in this order. The first one that has a login for a
	// registry is taken.
	Logins []LoginFile
	// Credentials are directories with systemd credentials, asked in this order.
	Credentials []string
}

// FromEnvironment returns the options that the docker command would take from
// these variables: DOCKER_HOST, and the logins in the [ConfigDir] and in a
// .dockercfg of old. The logins in first, directories with a config.json, come
// before, and then the config.json that systemd hands over as a credential
// (LoadCredential=docker-config:FILE).
func FromEnvironment(getenv func(string) string, first ...string) Options {
	o := Options{Host: getenv("DOCKER_HOST")}
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

// ConfigDir is where the docker command has its config.json: DOCKER_CONFIG, or
// .docker in the home directory.
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
	// systemd sets no HOME for a service of root's.
	u, err := user.Current()
	if err != nil {
		return "/"
	}
	return u.HomeDir
}
