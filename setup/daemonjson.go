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

// What follows edits the text of a daemon.json, and not a decoded copy, so
// that people find their file as they wrote it: order, blanks, line ends.

// byteOrderMark may stand first in the file; Docker skips it since version 24.
const byteOrderMark = "\xef\xbb\xbf"

// registered returns the path that a daemon.json registers the runtime with,
// or "" where it does not. The error starts with LINE:COLUMN.
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

// unregister returns a daemon.json without the runtime, and without a member
// "runtimes" that has become empty by that.
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
		return nil, d.errorAt(at.value, fmt.Sprintf("default-runtime is %q: choose another first", runtimeName))
	}
	if len(d.runtimes.members) > 1 {
		return d.without(d.runtimes, i), nil
	}
	return d.without(d.root, d.root.index("runtimes")), nil
}

// holdsNothing tells whether a daemon.json that parses has no members.
func holdsNothing(text []byte) bool {
	d, err := parseDocument(text)
	return err == nil && len(d.root.members) == 0
}

// document is the text of a daemon.json and where in it stands what matters.
type document struct {
	// mark is the byte order mark, or "".
	mark string
	text []byte
	root object
	// runtimes is root's member of that name, and entry its member for our
	// runtime; without members where there is none, or null.
	runtimes, entry object
	// path is entry's, and defaultRuntime root's member, or "".
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
	// With a blank at the end, the offset of an error is one beyond the place,
	// also where the text ends too early.
	var value json.RawMessage
	err := json.Unmarshal(append(slices.Clip(d.text), ' '), &value)
	if syntax, is := errors.AsType[*json.SyntaxError](err); is {
		return d.errorAt(int(syntax.Offset)-1, syntax.Error())
	}
	return err
}

// errorAt returns an error that starts with the position of an offset, in
// lines and bytes from 1.
func (d *document) errorAt(offset int, message string) error {
	before := d.text[:offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := offset - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("%d:%d: %s", line, column, message)
}

// object is where a JSON object stands in the text.
type object struct {
	// open is the offset of its brace, and end the one behind it.
	open, end int
	members   []member
}

// member is where a member of an object stands in the text.
type member struct {
	name string
	// start is the offset of the name's quote, value and end that of the
	// value and of what follows it.
	start, value, end int
}

// index returns the place of the member called name, the last one as for
// Docker, or -1.
func (o object) index(name string) int {
	for i, m := range slices.Backward(o.members) {
		if m.name == name {
			return i
		}
	}
	return -1
}

// objectAt parses the value at an offset of a text that is known to be JSON.
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

// set returns the text with the value at the path of names below o, which has
// members: it replaces that of the one called names[0], or becomes the last.
func (d *document) set(o object, value string, names ...string) []byte {
	at := d.layoutOf(o)
	if i := o.index(names[0]); i >= 0 {
		return d.join(o.members[i].value, o.members[i].end, at.value(names[1:], value))
	}
	last := o.members[len(o.members)-1].end
	return d.join(last, last, ",", cmp.Or(at.gap(), " "), at.member(names, value))
}

// without returns the text without o's member i.
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

// join returns the document's text with parts in the place of what stands
// between two offsets.
func (d *document) join(from, to int, parts ...string) []byte {
	return []byte(d.mark + string(d.text[:from]) + strings.Join(parts, "") + string(d.text[to:]))
}

// layout is how the members of an object are laid out.
type layout struct {
	// newline stands before each member, or is "" where they share a line.
	newline string
	// indent stands before each member, and unit is what an inner object's
	// members have in addition.
	indent, unit string
}

// layoutOf returns the layout of o's last member.
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

// lineEnd returns the last line end in what stands between two members, and
// the blanks after it; both are "" where there is none.
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

// gap is what stands before a member.
func (l layout) gap() string {
	if l.newline == "" {
		return ""
	}
	return l.newline + l.indent
}

// member returns the member names[0] whose value has the rest of the path.
func (l layout) member(names []string, value string) string {
	return quote(names[0]) + ": " + l.value(names[1:], value)
}

// value returns a member's value: the one at the path of names in it.
func (l layout) value(names []string, value string) string {
	if len(names) == 0 {
		return quote(value)
	}
	inner := layout{newline: l.newline, indent: l.indent + l.unit, unit: l.unit}
	return "{" + inner.gap() + inner.member(names, value) + l.gap() + "}"
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string always can be
	return string(quoted)
}
