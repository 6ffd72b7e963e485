package preview

import (
	"slices"
	"strings"

	"github.com/dockhost/dockhost/spec"
)

// masked stands for a value that may be a secret.
const masked = "***"

// holdsSecret tells an option of a log driver that is named for a secret, such
// as splunk-token.
func holdsSecret(option string) bool {
	option = strings.ToLower(option)
	for _, word := range []string{"token", "secret", "passw", "credential", "apikey", "api-key"} {
		if strings.Contains(option, word) {
			return true
		}
	}
	return false
}

// mask returns the container without what its declaration may keep secret: the
// values of environment variables, its own and those set in the unit, and the
// credentials of a log driver. The names stay.
func mask(c *spec.Container) *spec.Container {
	config, host, hidden := *c.Config, *c.HostConfig, *c
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
	hidden.Unit = slices.Clone(c.Unit)
	for i, setting := range hidden.Unit {
		if setting.Value != "" && (setting.Key == "Environment" || setting.Key == "SetCredential") {
			hidden.Unit[i].Value = maskedSetting(setting.Value)
		}
	}
	hidden.Config, hidden.HostConfig = &config, &host
	return &hidden
}

// maskedSetting keeps the first name of "NAME=VALUE" or "NAME:VALUE".
func maskedSetting(value string) string {
	if i := strings.IndexAny(value, "=:"); i > 0 {
		return strings.Trim(value[:i], `"'`) + value[i:i+1] + masked
	}
	return masked
}
