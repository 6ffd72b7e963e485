// Package cloudconfig writes user data: a cloud-config with a `dockhost:` section
// that another program's declaration was converted to.
package cloudconfig

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// Write returns user data with a section. The title and the remarks are comments at
// its top.
func Write(section *yaml.Node, title string, remarks ...string) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("#cloud-config\n# " + line(title) + "\n")
	for _, remark := range remarks {
		out.WriteString("# - " + line(remark) + "\n")
	}
	top := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{
		{Kind: yaml.ScalarNode, Tag: "!!str", Value: "dockhost"}, styled(section),
	}}
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(top); err != nil {
		return nil, fmt.Errorf("write the section: %w", err)
	}
	return out.Bytes(), encoder.Close()
}

// line returns a text on one line. A line break in the user's text must not end the
// comment.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
			return ' '
		}
		return r
	}, text)
}

// styled returns a copy with quotes around the strings that need them.
func styled(n *yaml.Node) *yaml.Node {
	copied := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && needsQuotes(n.Value) {
		copied.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		copied.Content = append(copied.Content, styled(child))
	}
	return copied
}

// needsQuotes reports whether YAML 1.1 or 1.2 would read this plain scalar as
// something other than this string.
func needsQuotes(value string) bool {
	if slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(value)) {
		return true
	}
	top, err := document.Parse("", []byte("- "+value))
	if err != nil || top == nil || top.Kind != yaml.SequenceNode || len(top.Content) != 1 {
		return true
	}
	plain := top.Content[0]
	return plain.Kind != yaml.ScalarNode || plain.ShortTag() != "!!str" || plain.Value != value || plain.Style != 0 || plain.Anchor != "" ||
		plain.LineComment != "" || strings.ContainsAny(value, "\n#{}[],&*!|>'\"%@`") || strings.TrimSpace(value) != value
}
