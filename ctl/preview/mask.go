package preview

import (
	"slices"
	"strings"

	"github.com/dockhost/dockhost/spec"
)

// masked replaces a value that may be a secret.
const masked = "***"

// holdsSecret reports whether the name of a log driver's option suggests a
// secret, such as splunk-token.
func holdsSecret(option string) bool {
	option = strings.ToLower(option)
	for _, word := range []string{"token", "secret", "passw", "credential", "apikey", "api-key"} {
		if strings.Contains(option, word) {
			return true
		}
	}
	return false
}

// mask returns a copy of the container without values that may be secrets:
// environment variables of the container and of its unit, credentials in the
// unit, and credentials of a log driver. The names stay.
func mask(c *spec.Container) *spec.Container {
	config, host, copied := *c.Config, *c.HostConfig, *c
	config.Env = slices.Clone(config.Env)
	for i, variable := range config.Env {
		if name, _, has := strings.Cut(variable, "="); has {
			config.Env[i] = name + "=" + masked
		}
	}
	if len(host.LogConfig.Config) > 0 {
		options := make(map[string]string, len(host.LogConfig.Config))
		for name, value := range host.LogConfig.Config {
			if holdsSecret(name) {
				value = masked
			}
			options[name] = value
		}
		host.LogConfig.Config = options
	}
	copied.Unit = slices.Clone(c.Unit)
	for i, setting := range copied.Unit {
		if setting.Value != "" && (setting.Key == "Environment" || setting.Key == "SetCredential") {
			copied.Unit[i].Value = maskedSetting(setting.Value)
		}
	}
	copied.Config, copied.HostConfig = &config, &host
	return &copied
}

// maskedSetting masks all but the first name in "NAME=VALUE" or "NAME:VALUE".
func maskedSetting(value string) string {
	if i := strings.IndexAny(value, "=:"); i > 0 {
		return strings.Trim(value[:i], `"'`) + value[i:i+1] + masked
	}
	return masked
}
