package gce

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// CloudConfig returns the section as user data, with what differs in comments.
func (c *Conversion) CloudConfig() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("#cloud-config\n# Made of a " + Attribute + ". What differs from konlet:\n")
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

// differences are those that every declaration has.
func differences() []string {
	return []string{
		"output goes to the journal of the unit, not to json-file with 3 files of 500 MB",
		"the container and its unit have the name as it is, without klt- and four letters",
		"the firewall is left as it is: konlet opened it for tcp, udp and icmp",
	}
}

// comment writes one item of a list, and breaks no line: a line break in what
// the user wrote must not end the comment.
func comment(out *bytes.Buffer, text string) {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
			return ' '
		}
		return r
	}, text)
	out.WriteString("# - " + text + "\n")
}

// styled returns a copy in which what is short stands in one line, and what
// must be a string has quotes where it needs them.
func styled(n *yaml.Node) *yaml.Node {
	made := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && needsQuotes(n.Value) {
		made.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		made.Content = append(made.Content, styled(child))
	}
	return made
}

// needsQuotes reports whether a plain scalar would not be this string again, to
// YAML 1.1 and 1.2 alike.
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
