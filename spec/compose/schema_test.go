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

// schemaFile is the schema of a dockhost section. TestSchema generates it from
// [serviceKeys], Compose's schema of these keys, testdata/own.schema.json, and
// the notes about the keys in docs/compose.md.
const schemaFile = "../../docs/dockhost.schema.json"

// object is a JSON object.
type object = map[string]any

// TestSchema checks that the schema has the parser's keys; -update generates it.
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

// schemaMaker generates the schema.
type schemaMaker struct {
	*testing.T
	// theirs are Compose's definitions, and used are those copied so far.
	theirs, used object
	// notes are the notes in the page, by key.
	notes map[string]string
}

func newSchemaMaker(t *testing.T) *schemaMaker {
	t.Helper()
	var all object
	if err := json.Unmarshal([]byte(composeschema.Schema), &all); err != nil {
		t.Fatal(err)
	}
	return &schemaMaker{T: t, theirs: all["$defs"].(object), used: object{}, notes: notes(t)}
}

// section returns the schema of the value of `dockhost:`.
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
		"description": "The value of dockhost: in user data.",
		"type":        "object",
		"properties": object{
			"containers": object{
				"description":          "The containers of the host, by name.",
				"type":                 []string{"object", "null"},
				"propertyNames":        object{"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{1,199}$"},
				"additionalProperties": object{"$ref": "#/$defs/service"},
			},
			"registries": object{
				"description":          "Logins by registry, HOST or HOST:PORT as in an image reference.",
				"type":                 []string{"object", "null"},
				"additionalProperties": object{"$ref": "#/$defs/login"},
			},
			"housekeeping": object{"$ref": "#/$defs/housekeeping"},
		},
		"additionalProperties": false,
		"$defs":                defs,
	}
}

// service returns the schema of one container.
func (m *schemaMaker) service() object {
	service := m.restrict(m.theirs["service"], serviceKeys()).(object)
	properties := service["properties"].(object)
	for key, note := range m.notes {
		if property, found := properties[key].(object); found {
			property["description"] = note
		}
	}
	properties["pull_policy"].(object)["pattern"] = "^(always|never|missing|if_not_present)$"
	properties["x-dockhost"] = object{"$ref": "#/$defs/x-dockhost"}
	service["description"] = "A Compose service, with the keys that have a use on a single host."
	service["required"] = []string{"image"}
	return service
}

// restrict returns one of Compose's schemas, limited to some keys.
func (m *schemaMaker) restrict(schema any, keys document.Keys) any {
	m.Helper()
	s := m.resolve(schema)
	result := object{}
	if properties, found := s["properties"].(object); found && len(keys.Names()) > 0 {
		result["properties"] = m.only(properties, keys)
		result["additionalProperties"] = false
		result["patternProperties"] = object{"^x-": object{}}
	}
	if below, found := keys.Each(); found {
		if items, found := s["items"]; found {
			result["items"] = m.restrict(items, below)
		}
		if patterns, found := s["patternProperties"].(object); found {
			each := object{}
			for pattern, value := range patterns {
				each[pattern] = m.restrict(value, below)
			}
			result["patternProperties"] = each
		}
	}
	for word, value := range s {
		_, done := result[word]
		switch {
		case done, word == "description", word == "unevaluatedProperties":
		case word == "oneOf", word == "anyOf":
			var each []any
			for _, one := range value.([]any) {
				each = append(each, m.restrict(one, keys))
			}
			result[word] = each
		default:
			result[word] = m.copied(value)
		}
	}
	return result
}

// only returns the properties of the allowed keys.
func (m *schemaMaker) only(properties object, keys document.Keys) object {
	m.Helper()
	result := object{}
	for _, name := range keys.Names() {
		if _, found := properties[name]; !found {
			m.Errorf("Compose has no key %q", name)
			continue
		}
		result[name] = m.entry(properties[name], keys.Field(name))
	}
	return result
}

// entry returns the schema of the value of a key.
func (m *schemaMaker) entry(schema any, keys document.Keys) any {
	m.Helper()
	if _, hasBelow := keys.Each(); hasBelow || len(keys.Names()) > 0 {
		return m.restrict(schema, keys)
	}
	return m.copied(schema)
}

// resolve follows a reference, and merges the parts of allOf.
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

// copied returns a copy of a schema without Compose's descriptions, and copies
// the definitions that it refers to.
func (m *schemaMaker) copied(value any) any {
	switch v := value.(type) {
	case object:
		result := object{}
		for word, below := range v {
			if _, isText := below.(string); isText && (word == "description" || word == "title") {
				continue
			}
			result[word] = m.copied(below)
		}
		if target, isRef := v["$ref"].(string); isRef {
			name := strings.TrimPrefix(target, "#/$defs/")
			if _, done := m.used[name]; !done {
				m.used[name] = nil // it may refer to itself
				m.used[name] = m.copied(m.theirs[name])
			}
		}
		return result
	case []any:
		result := make([]any, len(v))
		for i, below := range v {
			result[i] = m.copied(below)
		}
		return result
	}
	return value
}

var (
	keyRow = regexp.MustCompile("(?m)^\\| (`.*`) \\| (.+) \\|$")
	quoted = regexp.MustCompile("`([^`]+)`")
	ref    = regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)
)

// notes returns the page's note about each key.
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

// judge compiles a schema and returns a function that validates a document.
func judge(t *testing.T, file string) func(text string) error {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		var all any
		if err := yaml.Unmarshal([]byte(text), &all); err != nil {
			return fmt.Errorf("not YAML: %w", err)
		}
		raw, err := json.Marshal(all)
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		return schema.Validate(value)
	}
}

// TestSchemaTakesGood checks that the schema accepts what the parser accepts.
func TestSchemaTakesGood(t *testing.T) {
	valid := judge(t, userDataSchema)
	for path, text := range sources(t, "good") {
		if err := valid(text); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestSchemaOfFiles checks that the schema of Compose files agrees with the
// parser.
func TestSchemaOfFiles(t *testing.T) {
	valid := judge(t, composeFileSchema)
	for text, well := range map[string]bool{
		"name: x\nversion: '3'\nservices: {web: {image: nginx, volumes: ['data:/d']}}\nvolumes: {data: {}}\nx-any: 1\n": true,
		"x-dockhost: {registries: {r.test: {username: u, password: p}}}\n":                                              true,
		"": true,
		"services: {web: {image: nginx, port: 80}}": false,
		"containers: {}":                 false,
		"x-dockhost: {containers: {}}":   false,
		"volumes: {data: {driver: nfs}}": false,
	} {
		node, err := document.Parse("web.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseFile(document.File("web.yaml"), node); (err == nil) != well {
			t.Errorf("ParseFile(%q) = %v, want valid: %v", text, err, well)
		}
		if err := valid(text); (err == nil) != well {
			t.Errorf("the schema judges %q: %v, want valid: %v", text, err, well)
		}
	}
}

// refusedKey matches the parser's message for a key that is not allowed.
var refusedKey = regexp.MustCompile(`unknown key|cannot use ".*" on a single host`)

// TestSchemaRefusesKeys checks that the schema refuses the keys that the parser
// refuses.
func TestSchemaRefusesKeys(t *testing.T) {
	valid := judge(t, userDataSchema)
	count := 0
	for path, text := range sources(t, "bad") {
		problems, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".err")
		if err != nil {
			t.Fatal(err)
		}
		if !refusedKey.Match(problems) {
			continue
		}
		count++
		if err := valid(text); err == nil {
			t.Errorf("%s: the schema accepts it", path)
		}
	}
	if count < 3 {
		t.Errorf("%d sources have a key that is not allowed", count)
	}
}

// TestSchemaOwnKeys checks that the parser knows each of dockhost's own keys in
// the schema. TestSchemaTakesGood finds keys that the schema lacks.
func TestSchemaOwnKeys(t *testing.T) {
	var all struct {
		Defs map[string]struct {
			Properties map[string]struct {
				Properties map[string]any `json:"properties"`
			} `json:"properties"`
		} `json:"$defs"`
	}
	raw, err := os.ReadFile(schemaFile)
	if err == nil {
		err = json.Unmarshal(raw, &all)
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
	for key, below := range all.Defs["x-dockhost"].Properties {
		known(key, before+"{"+key+": }\n")
		for _, name := range slices.Sorted(maps.Keys(below.Properties)) {
			known(key+"."+name, before+"{"+key+": {"+name+": }}\n")
		}
	}
	for key := range all.Defs["login"].Properties {
		known(key, "dockhost:\n  registries:\n    r.test: {"+key+": x}\n")
	}
}
