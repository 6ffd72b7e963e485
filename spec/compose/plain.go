package compose

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// plain returns a resolved tree in the form that compose-go reads. With escape it
// doubles each "$" in values.
func plain(n *yaml.Node, escape bool) any {
	if n.Kind == yaml.MappingNode {
		mapping := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			mapping[n.Content[i].Value] = plain(n.Content[i+1], escape)
		}
		return mapping
	}
	if n.Kind == yaml.SequenceNode {
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = plain(item, escape)
		}
		return list
	}
	return plainScalar(n, escape)
}

func plainScalar(n *yaml.Node, escape bool) any {
	if n.Tag == "!!str" {
		if escape {
			return strings.ReplaceAll(n.Value, "$", "$$")
		}
		return n.Value
	}
	var value any
	if n.Decode(&value) != nil {
		return n.Value
	}
	return value
}
