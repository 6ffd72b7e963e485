package cloudinit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// archive reads the entries of a #cloud-config-archive.
func (r *reader) archive(p *piece) {
	top, err := document.ParseAt(&p.at, p.text)
	if err != nil {
		r.wrongYAML(p, err)
		return
	}
	if top == nil || document.IsNull(top) {
		r.note(p, Skipped, "empty")
		return
	}
	if top.Kind != yaml.SequenceNode {
		r.wrong(p, errors.New("an archive is not a list: write items with type: and content: in them"))
		return
	}
	r.note(p, Unpacked, "")
	for _, item := range top.Content {
		r.entry(p, deref(item))
	}
}

// entry reads an entry of an archive: a mapping, or its content alone.
func (r *reader) entry(p *piece, item *yaml.Node) {
	part := &piece{archived: true}
	content := item
	if item.Kind == yaml.MappingNode {
		_, content = document.LookUp(item, "content")
		part.header = entryHeader(item)
		_, kind := document.LookUp(item, "type")
		if kind != nil && kind.Kind == yaml.ScalarNode && !document.IsNull(kind) {
			part.kind = strings.ToLower(kind.Value)
		}
		if _, name := document.LookUp(item, "filename"); name != nil {
			part.name = shown(name.Value)
		}
	}
	if content == nil {
		content = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Line: item.Line, Column: item.Column}
	}
	if item.Kind != yaml.MappingNode && !isText(item) {
		line, column := p.at.Position(item.Line, item.Column)
		r.warn("%s:%d:%d: an item of the archive is neither a mapping nor text: cloud-init passes over it", p.at.File, line, column)
		return
	}
	place := r.place(&part.name)
	if !r.entryText(p, part, place, content) {
		return
	}
	if part.kind == "" {
		part.kind = kindCloudConfig
		if content.ShortTag() == "!!binary" {
			part.kind = kindBinary
		}
		if kind := kindOf(part.text); kind != "" {
			part.kind = kind
		}
	}
	if strings.Count(part.kind, "/") != 1 {
		r.wrong(part, errors.New("the type of an archive's entry is not like text/cloud-config"))
		return
	}
	r.handle(part)
}

// entryHeader is the header that an entry has: its keys.
func entryHeader(item *yaml.Node) fields {
	var header fields
	for i := 0; i+1 < len(item.Content); i += 2 {
		key, value := item.Content[i], deref(item.Content[i+1])
		if key.Kind == yaml.ScalarNode && value.Kind == yaml.ScalarNode {
			header = append(header, struct{ name, value string }{key.Value, value.Value})
		}
	}
	return header
}

// entryText sets the text of an entry and where it stands.
func (r *reader) entryText(archive, part *piece, place string, content *yaml.Node) bool {
	part.text = []byte(content.Value)
	part.at = document.Origin{File: place}
	line, column := archive.at.Position(content.Line, content.Column)
	if content.Kind != yaml.ScalarNode {
		part.at = document.Origin{File: archive.at.File, Line: line, Column: column}
		r.wrong(part, errors.New("the content of an archive's entry is not text: write content: | and the text below it, indented"))
		return false
	}
	if content.ShortTag() == "!!binary" {
		text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(content.Value), ""))
		if err != nil {
			r.wrong(part, errors.New("damaged base64 (encode it again)"))
			return false
		}
		part.text = text
		return true
	}
	if indent, ok := literalIndent(archive.text, content); ok {
		part.at = document.Origin{File: archive.at.File, Line: line + 1, Column: indent + 1}
	}
	return true
}

// literalIndent returns how far a literal ("|") is indented in its text. ok is
// false for any other kind of scalar.
func literalIndent(text []byte, literal *yaml.Node) (indent int, ok bool) {
	if literal.Style&yaml.LiteralStyle == 0 {
		return 0, false
	}
	for range literal.Line {
		_, text, ok = bytes.Cut(text, []byte("\n"))
		if !ok {
			return 0, false
		}
	}
	indent = -1
	for line := range strings.SplitSeq(strings.TrimRight(literal.Value, "\n"), "\n") {
		var source []byte
		source, text, _ = bytes.Cut(text, []byte("\n"))
		source = bytes.TrimRight(source, "\r")
		if line == "" {
			continue
		}
		if indent < 0 {
			indent = len(source) - len(line)
		}
		if indent < 0 || len(source) != indent+len(line) || string(source[indent:]) != line {
			return 0, false
		}
	}
	return max(indent, 0), true
}
