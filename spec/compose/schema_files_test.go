package compose

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
