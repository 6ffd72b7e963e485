package bugreport

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// secretsOf returns the secrets of the host's containers, as Docker knows them: the
// values of environment variables and labels, and arguments.
func secretsOf(ctx context.Context, o Options) []string {
	s, err := o.Host.Status(ctx)
	if err != nil {
		return nil
	}
	var secrets []string
	for i := range s.Containers {
		if s.Containers[i].ID == "" {
			continue
		}
		raw, err := o.Engine.InspectJSON(ctx, s.Containers[i].ID)
		if err == nil {
			secrets = append(secrets, SecretsIn(raw)...)
		}
	}
	return secrets
}

// SecretsIn returns the texts in a JSON document that may be secret: environment
// variables, arguments, labels, and members whose names say so. The document is what
// Docker says of a container, a declaration, or a config.json with logins.
func SecretsIn(raw []byte) []string {
	var document any
	if err := json.Unmarshal(raw, &document); err != nil {
		return nil
	}
	return collect("", document, nil)
}

func collect(key string, value any, secrets []string) []string {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			text, isText := member.(string)
			switch {
			case isText && (secretName.MatchString(name) || key == "Labels" && !strings.HasPrefix(name, "dockhost.")):
				secrets = append(secrets, text)
				secrets = append(secrets, login(text)...)
			case isText && key == "environment":
				secrets = append(secrets, text)
			default:
				secrets = collect(name, member, secrets)
			}
		}
	case []any:
		for i, element := range value {
			text, isText := element.(string)
			switch {
			case !isText:
				secrets = collect(key, element, secrets)
			case strings.EqualFold(key, "env"):
				if _, text, found := strings.Cut(text, "="); found && plausible(text) {
					secrets = append(secrets, text)
				}
			case i > 0 && plausible(text) && (key == "Cmd" || key == "Args" || key == "Entrypoint"):
				secrets = append(secrets, text)
			}
		}
	}
	return secrets
}

// plausible says whether the value of a variable or an argument may be a secret. A path
// or a list of paths is not one, and its parts are in many other texts.
func plausible(text string) bool { return !strings.HasPrefix(text, "/") }

// login returns the password of a login in a config.json, USER:PASSWORD in base64.
func login(text string) []string {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	if _, password, found := strings.Cut(string(raw), ":"); found {
		return []string{password, string(raw)}
	}
	return nil
}
