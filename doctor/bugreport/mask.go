package bugreport

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// masked replaces a secret.
const masked = "***"

// minSecret is the length from which a value is masked wherever it appears. Shorter ones
// ("1", "true") are masked only where they stand for a secret.
const minSecret = 5

var (
	// urlPassword matches the user and password of a URL.
	urlPassword = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s"'@]+@`)
	// secretName matches the name of a setting that is a secret.
	secretName = regexp.MustCompile(`(?i)pass(word|wd|phrase)?$|secret|token|credential|(api|access|private|signing)[-_.]?key|(^|[-_.])(auth|key|pw|pwd)$`)
	// assignment matches NAME=VALUE, NAME: VALUE, "NAME": "VALUE" and --NAME VALUE.
	assignment = regexp.MustCompile(`(?m)((?:--)?["']?([A-Za-z][A-Za-z0-9_.-]*)["']?(?:[ \t]*[=:][ \t]*|[ \t]+))("[^"\n]*"|'[^'\n]*'|[^\s,"'][^\s,]*)`)
	// environment matches the variables of Environment= in a unit, and of -e and --env
	// on a command line.
	environment = regexp.MustCompile(`(?m)((?:^[ \t]*Environment=|[ \t](?:-e|--env)[ =]).*$)`)
	// variable matches NAME=VALUE.
	variable = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*=)("[^"]*"|'[^']*'|[^\s"']+)`)
	// credential matches SetCredential= in a unit.
	credential = regexp.MustCompile(`(?m)^([ \t]*SetCredential(?:Encrypted)?=[^:\n]*:).*$`)
	// header matches the value of an Authorization header, and of X-Registry-Auth.
	header = regexp.MustCompile(`(?i)((?:authorization|x-registry-auth)["']?\s*[:=]\s*).*`)
)

// masker masks secrets.
type masker struct {
	secrets *strings.Replacer
}

// newMasker returns a masker for known secrets, and what looks like one.
func newMasker(secrets []string) masker {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return len(s) < minSecret })
	slices.Sort(secrets)
	secrets = slices.Compact(secrets)
	// Of two secrets, the longer one is replaced first.
	slices.SortStableFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, secret := range secrets {
		pairs = append(pairs, secret, masked)
		if quoted, err := json.Marshal(secret); err == nil && string(quoted[1:len(quoted)-1]) != secret {
			pairs = append(pairs, string(quoted[1:len(quoted)-1]), masked)
		}
	}
	return masker{strings.NewReplacer(pairs...)}
}

// text masks a text for people, such as a unit file or a journal.
func (m masker) text(text string) string {
	text = m.secrets.Replace(text)
	text = urlPassword.ReplaceAllString(text, "${1}"+masked+"@")
	text = credential.ReplaceAllString(text, "${1}"+masked)
	text = header.ReplaceAllString(text, "${1}"+masked)
	text = environment.ReplaceAllStringFunc(text, func(line string) string {
		head := ""
		if rest, found := strings.CutPrefix(strings.TrimLeft(line, " \t"), "Environment="); found {
			head, line = "Environment=", rest
		}
		return head + variable.ReplaceAllString(line, "${1}"+masked)
	})
	return assignment.ReplaceAllStringFunc(text, func(found string) string {
		parts := assignment.FindStringSubmatch(found)
		isFlag := strings.HasPrefix(found, "--") || strings.ContainsAny(parts[1], "=:")
		if !isFlag || !secretName.MatchString(parts[2]) {
			return found
		}
		return parts[1] + masked
	})
}

// json masks a JSON document. A text that is not JSON is masked as text.
func (m masker) json(text string) string {
	var document any
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		return m.text(text)
	}
	whole, err := json.MarshalIndent(m.value("", document), "", "  ")
	if err != nil {
		return masked
	}
	return string(whole) + "\n"
}

// value masks a value of JSON. key is the name of the member that contains it.
func (m masker) value(key string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			value[name] = m.member(key, name, member)
		}
		return value
	case []any:
		return m.list(key, value)
	case string:
		return m.text(value)
	}
	return value
}

// member masks a member of an object that is the member key itself.
func (m masker) member(key, name string, value any) any {
	_, isText := value.(string)
	switch {
	case isText && secretName.MatchString(name):
		return masked
	case isText && key == "Labels" && !strings.HasPrefix(name, "dockhost."):
		return masked
	case key == "LogConfig" && name == "Config", name == "log-opts":
		return m.options(value)
	}
	return m.value(name, value)
}

// options masks the options of a log driver, except for sizes and numbers.
func (m masker) options(value any) any {
	options, _ := value.(map[string]any)
	for name := range options {
		if !slices.Contains([]string{"max-size", "max-file", "mode", "compress"}, name) {
			options[name] = masked
		}
	}
	return value
}

// list masks the elements of a list: environment variables keep their names, and
// arguments nothing but the program.
func (m masker) list(key string, list []any) []any {
	for i, element := range list {
		text, isText := element.(string)
		switch {
		case !isText:
			list[i] = m.value(key, element)
		case key == "Env":
			name, _, _ := strings.Cut(text, "=")
			list[i] = name + "=" + masked
		case key == "Args", slices.Contains([]string{"Cmd", "Entrypoint", "Test"}, key) && i > 0:
			list[i] = masked
		default:
			list[i] = m.text(text)
		}
	}
	return list
}
