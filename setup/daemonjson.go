package setup

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// This file edits the text of a daemon.json instead of decoding and encoding it. So the
// order of members, white space and line ends stay as the user wrote them.

// byteOrderMark may be at the beginning of the file. Docker ignores it since version
// 24.
const byteOrderMark = "\xef\xbb\xbf"

// registered returns the path with which a daemon.json registers the runtime, or "" if
// it does not. The error begins with LINE:COLUMN.
func registered(text []byte) (string, error) {
	d, err := parseDocument(text)
	if err != nil {
		return "", err
	}
	return d.path, nil
}

// register returns a daemon.json that registers the runtime with path.
func register(text []byte, path string) ([]byte, error) {
	d, err := parseDocument(text)
	if err != nil {
		return nil, err
	}
	switch {
	case d.path == path:
		return text, nil
	case len(d.entry.members) > 0:
		return d.set(d.entry, path, "path"), nil
	case len(d.runtimes.members) > 0:
		return d.set(d.runtimes, path, runtimeName, "path"), nil
	case len(d.root.members) > 0:
		return d.set(d.root, path, "runtimes", runtimeName, "path"), nil
	}
	whole := []string{layout{newline: "\n", unit: "  "}.value([]string{"runtimes", runtimeName, "path"}, path)}
	if len(bytes.TrimSpace(d.text)) == 0 {
		whole = append(whole, "\n")
	}
	return d.join(d.root.open, d.root.end, whole...), nil
}

// unregister returns a daemon.json without the runtime. It also removes the member
// "runtimes" if that becomes empty.
func unregister(text []byte) ([]byte, error) {
	d, err := parseDocument(text)
	if err != nil {
		return nil, err
	}
	i := d.runtimes.index(runtimeName)
	if i < 0 {
		return text, nil
	}
	if d.defaultRuntime == runtimeName {
		at := d.root.members[d.root.index("default-runtime")]
		return nil, d.errorAt(at.value, fmt.Sprintf("default-runtime is %q (change default-runtime first)", runtimeName))
	}
	if len(d.runtimes.members) > 1 {
		return d.without(d.runtimes, i), nil
	}
	return d.without(d.root, d.root.index("runtimes")), nil
}

// holdsNothing says whether a valid daemon.json has no members.
func holdsNothing(text []byte) bool {
	d, err := parseDocument(text)
	return err == nil && len(d.root.members) == 0
}

// document is the text of a daemon.json with the positions of the relevant members.
type document struct {
	// mark is the byte order mark, or "".
	mark string
	text []byte
	root object
	// runtimes is the member "runtimes" of root, and entry its member for the runtime
	// of dockhost. Each is empty if the member is missing or null.
	runtimes, entry object
	// path is the member "path" of entry, and defaultRuntime the member
	// "default-runtime" of root, or "".
	path, defaultRuntime string
}

func parseDocument(text []byte) (*document, error) {
	d := &document{text: text}
	if rest, found := bytes.CutPrefix(text, []byte(byteOrderMark)); found {
		d.mark, d.text = byteOrderMark, rest
	}
	if len(bytes.TrimSpace(d.text)) == 0 {
		d.root.end = len(d.text)
		return d, nil
	}
	if err := d.checkSyntax(); err != nil {
		return nil, err
	}
	var err error
	start := len(d.text) - len(bytes.TrimLeft(d.text, " \t\r\n"))
	if d.root, err = d.objectAt(start, "the configuration"); err != nil {
		return nil, err
	}
	if d.runtimes, err = d.objectIn(d.root, "runtimes", "runtimes"); err != nil {
		return nil, err
	}
	if d.entry, err = d.objectIn(d.runtimes, runtimeName, "runtimes."+runtimeName); err != nil {
		return nil, err
	}
	if d.path, err = d.stringIn(d.entry, "path", "runtimes."+runtimeName+".path"); err != nil {
		return nil, err
	}
	d.defaultRuntime, err = d.stringIn(d.root, "default-runtime", "default-runtime")
	return d, err
}

func (d *document) checkSyntax() error {
	// With a space at the end, the offset of an error is always one behind the wrong
	// character, even if the text ends too early.
	var value json.RawMessage
	err := json.Unmarshal(append(slices.Clip(d.text), ' '), &value)
	if syntax, is := errors.AsType[*json.SyntaxError](err); is {
		return d.errorAt(int(syntax.Offset)-1, syntax.Error())
	}
	return err
}

// errorAt returns an error that begins with the line and column (in bytes) of an
// offset, both counted from 1.
func (d *document) errorAt(offset int, message string) error {
	before := d.text[:offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := offset - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("%d:%d: %s", line, column, message)
}

// object is the position of a JSON object in the text.
type object struct {
	// open is the offset of its opening brace, and end the offset after the closing
	// one.
	open, end int
	members   []member
}

// member is the position of a member of an object in the text.
type member struct {
	name string
	// start is the offset of the name's opening quote, value that of the value, and
	// end the offset after the value.
	start, value, end int
}

// index returns the index of the member with this name, or -1. Like Docker, it takes
// the last one.
func (o object) index(name string) int {
	for i, m := range slices.Backward(o.members) {
		if m.name == name {
			return i
		}
	}
	return -1
}

// objectAt parses the object at an offset of the text, which must be valid JSON.
func (d *document) objectAt(start int, what string) (object, error) {
	if d.text[start] != '{' {
		return object{}, d.errorAt(start, what+" is not an object")
	}
	decoder := json.NewDecoder(bytes.NewReader(d.text[start:]))
	if _, err := decoder.Token(); err != nil {
		return object{}, err
	}
	o := object{open: start}
	for decoder.More() {
		from := start + int(decoder.InputOffset())
		name, err := decoder.Token()
		if err != nil {
			return object{}, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return object{}, err
		}
		m := member{start: from + bytes.IndexByte(d.text[from:], '"'), end: start + int(decoder.InputOffset())}
		m.name, _ = name.(string)
		m.value = m.end - len(value)
		o.members = append(o.members, m)
	}
	if _, err := decoder.Token(); err != nil {
		return object{}, err
	}
	o.end = start + int(decoder.InputOffset())
	return o, nil
}

func (d *document) objectIn(o object, name, what string) (object, error) {
	i := o.index(name)
	if i < 0 || d.text[o.members[i].value] == 'n' {
		return object{}, nil
	}
	return d.objectAt(o.members[i].value, what)
}

func (d *document) stringIn(o object, name, what string) (string, error) {
	i := o.index(name)
	if i < 0 {
		return "", nil
	}
	m := o.members[i]
	var value string
	if err := json.Unmarshal(d.text[m.value:m.end], &value); err != nil {
		return "", d.errorAt(m.value, what+" is not a string")
	}
	return value, nil
}

// set returns the text with value at the path of names below o. It replaces the member
// names[0], or appends it. o must have members.
func (d *document) set(o object, value string, names ...string) []byte {
	at := d.layoutOf(o)
	if i := o.index(names[0]); i >= 0 {
		return d.join(o.members[i].value, o.members[i].end, at.value(names[1:], value))
	}
	last := o.members[len(o.members)-1].end
	return d.join(last, last, ",", cmp.Or(at.gap(), " "), at.member(names, value))
}

// without returns the text without the member i of o.
func (d *document) without(o object, i int) []byte {
	switch {
	case len(o.members) == 1:
		return d.join(o.open, o.end, "{}")
	case i == 0:
		return d.join(o.members[0].start, o.members[1].start)
	default:
		return d.join(o.members[i-1].end, o.members[i].end)
	}
}

// join returns the document's text with the text between two offsets replaced by
// parts.
func (d *document) join(from, to int, parts ...string) []byte {
	return []byte(d.mark + string(d.text[:from]) + strings.Join(parts, "") + string(d.text[to:]))
}

// layout is the layout of an object's members.
type layout struct {
	// newline precedes each member. It is "" if all are on one line.
	newline string
	// indent precedes each member, and unit is the additional indent of an inner
	// object's members.
	indent, unit string
}

// layoutOf returns the layout of the last member of o.
func (d *document) layoutOf(o object) layout {
	last := o.members[len(o.members)-1]
	from := o.open + 1
	if len(o.members) > 1 {
		from = o.members[len(o.members)-2].end
	}
	newline, indent := lineEnd(d.text[from:last.start])
	_, outer := lineEnd(d.text[last.end : o.end-1])
	unit, found := strings.CutPrefix(indent, outer)
	if !found || unit == "" {
		unit = "  "
	}
	return layout{newline: newline, indent: indent, unit: unit}
}

// lineEnd returns the last line end between two members and the white space after it.
// Both are "" without a line end.
func lineEnd(between []byte) (newline, indent string) {
	i := bytes.LastIndexByte(between, '\n')
	if i < 0 {
		return "", ""
	}
	rest := between[i+1:]
	indent = string(rest[:len(rest)-len(bytes.TrimLeft(rest, " \t"))])
	if i > 0 && between[i-1] == '\r' {
		return "\r\n", indent
	}
	return "\n", indent
}

// gap is the text before a member.
func (l layout) gap() string {
	if l.newline == "" {
		return ""
	}
	return l.newline + l.indent
}

// member returns the member names[0], whose value contains the rest of the path.
func (l layout) member(names []string, value string) string {
	return quote(names[0]) + ": " + l.value(names[1:], value)
}

// value returns an object with value at the path of names, or value itself without
// names.
func (l layout) value(names []string, value string) string {
	if len(names) == 0 {
		return quote(value)
	}
	inner := layout{newline: l.newline, indent: l.indent + l.unit, unit: l.unit}
	return "{" + inner.gap() + inner.member(names, value) + l.gap() + "}"
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // never fails for a string
	return string(quoted)
}
