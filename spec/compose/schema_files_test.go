package compose

import (
	"testing"

	"github.com/dockhost/dockhost/internal/document"
)

// files is the schema of secrets or configs.
func (m *schemaMaker) files(description string) object {
	text := object{"type": "string"}
	return object{
		"description": description, "type": []string{"object", "null"},
		"additionalProperties": object{
			"type": "object", "additionalProperties": false, "patternProperties": object{"^x-": object{}},
			"properties": object{
				"file": text, "content": text, "environment": text, "credential": text, "name": text, "labels": object{},
				"external": object{"const": false},
			},
		},
	}
}

// TestSchemaOfFiles has the schema of Compose files judge as the parser does.
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
		if _, err := ParseFile(document.File("web.yaml"), node, "web", Directory{}); (err == nil) != well {
			t.Errorf("ParseFile(%q) = %v, want it well: %v", text, err, well)
		}
		if err := valid(text); (err == nil) != well {
			t.Errorf("the schema says of %q: %v, want it well: %v", text, err, well)
		}
	}
}
