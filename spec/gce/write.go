package gce

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// CloudConfig returns the section as user data. Comments list the differences from
// konlet.
func (c *Conversion) CloudConfig() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("#cloud-config\n# Converted from " + Attribute + ". Differences from konlet:\n")
	for _, difference := range differences() {
		comment(&out, difference)
	}
	for _, n := range c.Notes {
		comment(&out, fmt.Sprintf("%s (line %d): %s", n.Path, n.Line, n.Text))
	}
	top := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{
		{Kind: yaml.ScalarNode, Tag: "!!str", Value: "dockhost"}, styled(c.Section),
	}}
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(top); err != nil {
		return nil, fmt.Errorf("write the section: %w", err)
	}
	return out.Bytes(), encoder.Close()
}

// differences returns the differences for every declaration.
func differences() []string {
	return []string{
		"output goes to the unit's journal instead of json-file with 3 files of 500 MB",
		"the container and its unit have the declared name, without klt- and four letters",
		"the firewall does not change; konlet opened it for tcp, udp and icmp",
	}
}

// comment writes one item of a list on one line. A line break in the user's text
// must not end the comment.
func comment(out *bytes.Buffer, text string) {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
			return ' '
		}
		return r
	}, text)
	out.WriteString("# - " + text + "\n")
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
