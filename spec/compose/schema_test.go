package compose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	composeschema "github.com/compose-spec/compose-go/v2/schema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// schemaFile is the schema of a dockhost section, which is made here of
// [serviceKeys], of what Compose says of the values of these keys, of
// testdata/own.schema.json, and of the notes in the page about them.
const schemaFile = "../../docs/dockhost.schema.json"

// object is a JSON object.
type object = map[string]any

// TestSchema holds the schema to the parser's keys; -update rewrites it.
func TestSchema(t *testing.T) {
	m := newSchemaMaker(t)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(m.section()); err != nil {
		t.Fatal(err)
	}
	golden(t, schemaFile, text.String())
}

// schemaMaker makes the schema.
type schemaMaker struct {
	*testing.T
	// theirs are Compose's definitions, used those that were taken over.
	theirs, used object
	// notes are the page's, by key.
	notes map[string]string
}

func newSchemaMaker(t *testing.T) *schemaMaker {
	t.Helper()
	var whole object
	if err := json.Unmarshal([]byte(composeschema.Schema), &whole); err != nil {
		t.Fatal(err)
	}
	return &schemaMaker{T: t, theirs: whole["$defs"].(object), used: object{}, notes: notes(t)}
}

// section is the schema of what stands below `dockhost:`.
func (m *schemaMaker) section() object {
	raw, err := os.ReadFile("testdata/own.schema.json")
	if err != nil {
		m.Fatal(err)
	}
	defs := object{}
	if err := json.Unmarshal(raw, &defs); err != nil {
		m.Fatal(err)
	}
	defs["service"] = m.service()
	maps.Copy(defs, m.used)
	return object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "dockhost section",
		"description": "The section dockhost: of user data.",
		"type":        "object",
		"properties": object{
			"containers": object{
				"description":          "The containers of the host, by name.",
				"type":                 []string{"object", "null"},
				"propertyNames":        object{"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{1,199}$"},
				"additionalProperties": object{"$ref": "#/$defs/service"},
			},
			"registries": object{
				"description":          "Logins, by the registry as an image reference names it: HOST or HOST:PORT.",
				"type":                 []string{"object", "null"},
				"additionalProperties": object{"$ref": "#/$defs/login"},
			},
			"housekeeping": object{"$ref": "#/$defs/housekeeping"},
			"profiles": object{
				"description": "The profiles that are active.", "type": []string{"array", "null"}, "items": object{"type": "string"},
			},
			"secrets": m.files("The secrets of the services, by name."),
			"configs": m.files("The configs of the services, by name."),
			"name": object{
				"description": "The name of the project: volumes and networks are NAME_KEY in Docker.", "type": "string", "pattern": projectName.String(),
			},
			"networks": object{
				"description":          "The networks of the containers. They are made if they are missing.",
				"type":                 []string{"object", "null"},
				"additionalProperties": m.withDriver("network", "bridge", networkKeys()),
			},
			"volumes": object{
				"description":          "The named volumes of the containers. They are made if they are missing.",
				"type":                 []string{"object", "null"},
				"additionalProperties": m.withDriver("volume", "local", volumeKeys()),
			},
		},
		"additionalProperties": false,
		"$defs":                defs,
	}
}

// service is the schema of one container.
func (m *schemaMaker) service() object {
	service := m.restrict(m.theirs["service"], serviceKeys()).(object)
	properties := service["properties"].(object)
	for key, note := range m.notes {
		if property, found := properties[key].(object); found {
			property["description"] = note
		}
	}
	properties["pull_policy"].(object)["pattern"] = "^(always|never|missing|if_not_present|daily|weekly|every_([0-9]+[wdhms])+)$"
	properties["x-dockhost"] = object{"$ref": "#/$defs/x-dockhost"}
	service["description"] = "A Compose service, with the keys that make sense on a single host."
	service["required"] = []string{"image"}
	return service
}

// restrict returns a schema of Compose's that allows only some keys.
func (m *schemaMaker) restrict(schema any, keys document.Keys) any {
	m.Helper()
	s := m.resolve(schema)
	made := object{}
	if properties, found := s["properties"].(object); found && len(keys.Names()) > 0 {
		made["properties"] = m.only(properties, keys)
		made["additionalProperties"] = false
		made["patternProperties"] = object{"^x-": object{}}
	}
	if below, found := keys.Each(); found {
		if items, found := s["items"]; found {
			made["items"] = m.restrict(items, below)
		}
		if patterns, found := s["patternProperties"].(object); found {
			each := object{}
			for pattern, value := range patterns {
				each[pattern] = m.restrict(value, below)
			}
			made["patternProperties"] = each
		}
	}
	for word, value := range s {
		_, done := made[word]
		switch {
		case done, word == "description", word == "unevaluatedProperties":
		case word == "oneOf", word == "anyOf":
			var each []any
			for _, one := range value.([]any) {
				each = append(each, m.restrict(one, keys))
			}
			made[word] = each
		default:
			made[word] = m.taken(value)
		}
	}
	return made
}

// only returns the properties that are allowed.
func (m *schemaMaker) only(properties object, keys document.Keys) object {
	m.Helper()
	made := object{}
	for _, name := range keys.Names() {
		if _, found := properties[name]; !found {
			m.Errorf("Compose has no key %q", name)
			continue
		}
		made[name] = m.entry(properties[name], keys.Field(name))
	}
	return made
}

// entry is what stands below a key.
func (m *schemaMaker) entry(schema any, keys document.Keys) any {
	m.Helper()
	if _, hasBelow := keys.Each(); hasBelow || len(keys.Names()) > 0 {
		return m.restrict(schema, keys)
	}
	return m.taken(schema)
}

// resolve follows a reference, and makes one schema of several that all hold.
func (m *schemaMaker) resolve(schema any) object {
	s := maps.Clone(schema.(object))
	if target, found := s["$ref"].(string); found {
		delete(s, "$ref")
		for word, value := range m.resolve(m.theirs[strings.TrimPrefix(target, "#/$defs/")]) {
			if _, own := s[word]; !own {
				s[word] = value
			}
		}
	}
	parts, _ := s["allOf"].([]any)
	delete(s, "allOf")
	for _, part := range parts {
		properties, _ := s["properties"].(object)
		properties = maps.Clone(properties)
		if properties == nil {
			properties = object{}
		}
		maps.Copy(properties, m.resolve(part)["properties"].(object))
		s["properties"] = properties
	}
	return s
}

// taken takes a schema over as it is, with the definitions that it names and
// without Compose's words.
func (m *schemaMaker) taken(value any) any {
	switch v := value.(type) {
	case object:
		made := object{}
		for word, below := range v {
			if _, isText := below.(string); isText && (word == "description" || word == "title") {
				continue
			}
			made[word] = m.taken(below)
		}
		if target, isRef := v["$ref"].(string); isRef {
			name := strings.TrimPrefix(target, "#/$defs/")
			if _, done := m.used[name]; !done {
				m.used[name] = nil // it may name itself
				m.used[name] = m.taken(m.theirs[name])
			}
		}
		return made
	case []any:
		made := make([]any, len(v))
		for i, below := range v {
			made[i] = m.taken(below)
		}
		return made
	}
	return value
}

var (
	keyRow = regexp.MustCompile("(?m)^\\| (`.*`) \\| (.+) \\|$")
	quoted = regexp.MustCompile("`([^`]+)`")
	ref    = regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)
)

// notes returns what the page about the keys says of each.
func notes(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/compose.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- keys -->")
	rest, _, _ = strings.Cut(rest, "\n#")
	found := map[string]string{}
	for _, row := range keyRow.FindAllStringSubmatch(rest, -1) {
		note := strings.Trim(ref.ReplaceAllString(strings.ReplaceAll(row[2], "`", ""), "$1"), " ")
		if note == "" || strings.HasPrefix(note, "see below") {
			continue
		}
		for _, key := range quoted.FindAllStringSubmatch(row[1], -1) {
			found[key[1]] = note
		}
	}
	if len(found) < 10 {
		t.Fatalf("the page has notes about %d keys", len(found))
	}
	return found
}

const (
	// userDataSchema is the schema of user data that is cloud-config.
	userDataSchema = "../../docs/cloud-config.schema.json"
	// composeFileSchema is the schema of a file in /etc/dockhost/containers.
	composeFileSchema = "../../docs/compose-file.schema.json"
)

// judge compiles a schema and returns what it says of a document.
func judge(t *testing.T, file string) func(text string) error {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		var whole any
		if err := yaml.Unmarshal([]byte(text), &whole); err != nil {
			return fmt.Errorf("no YAML: %w", err)
		}
		raw, err := json.Marshal(whole)
		if err != nil {
			return fmt.Errorf("no JSON: %w", err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		return schema.Validate(value)
	}
}

// TestSchemaTakesGood has the schema take whatever the parser takes.
func TestSchemaTakesGood(t *testing.T) {
	valid := judge(t, userDataSchema)
	for path, text := range examples(t, "good") {
		if err := valid(text); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// refusedKey is what the parser says of a key that is not allowed.
var refusedKey = regexp.MustCompile(`unknown key|cannot use ".*" on a single host`)

// TestSchemaRefusesKeys has the schema refuse the keys that the parser refuses.
func TestSchemaRefusesKeys(t *testing.T) {
	valid := judge(t, userDataSchema)
	count := 0
	for path, text := range examples(t, "bad") {
		told, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".err")
		if err != nil {
			t.Fatal(err)
		}
		if !refusedKey.Match(told) {
			continue
		}
		count++
		if err := valid(text); err == nil {
			t.Errorf("%s: the schema takes it", path)
		}
	}
	if count < 3 {
		t.Errorf("%d sources have a key that is not allowed", count)
	}
}

// TestSchemaOwnKeys has the parser know each key of the schema that is
// dockhost's own. That none lacks, the good sources tell.
func TestSchemaOwnKeys(t *testing.T) {
	var whole struct {
		Defs map[string]struct {
			Properties map[string]struct {
				Properties map[string]any `json:"properties"`
			} `json:"properties"`
		} `json:"$defs"`
	}
	raw, err := os.ReadFile(schemaFile)
	if err == nil {
		err = json.Unmarshal(raw, &whole)
	}
	if err != nil {
		t.Fatal(err)
	}
	const before = "dockhost:\n  containers:\n    web:\n      image: nginx\n      x-dockhost: "
	known := func(key, text string) {
		t.Helper()
		_, err := parse(t, text)
		if err != nil && strings.Contains(err.Error(), "unknown key") {
			t.Errorf("the parser does not know %s: %v", key, err)
		}
	}
	for key, below := range whole.Defs["x-dockhost"].Properties {
		known(key, before+"{"+key+": }\n")
		for _, name := range slices.Sorted(maps.Keys(below.Properties)) {
			known(key+"."+name, before+"{"+key+": {"+name+": }}\n")
		}
	}
	for key := range whole.Defs["login"].Properties {
		known(key, "dockhost:\n  registries:\n    r.test: {"+key+": x}\n")
	}
}
