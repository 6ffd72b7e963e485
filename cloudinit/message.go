package cloudinit

import (
	"bytes"
	"mime"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// entity is a MIME message or a part of one. It is read line by line, as
// Python's email parser does and mime/multipart does not: nothing is lost when
// the last boundary is missing, and the lines are known.
type entity struct {
	header fields
	// kind is the Content-Type, in lower case and without parameters.
	kind  string
	parts []*entity
	// body is not decoded yet. line is its first line in the message.
	body []byte
	line int
}

// fields is the header of an entity.
type fields []struct{ name, value string }

// get returns the first field of that name, in any case.
func (f fields) get(name string) string {
	for _, field := range f {
		if strings.EqualFold(field.name, name) {
			return field.value
		}
	}
	return ""
}

// exactly returns the last field with exactly that name: cloud-init looks a few
// of them up in a Python dictionary.
func (f fields) exactly(name string) string {
	value := ""
	for _, field := range f {
		if field.name == name {
			value = field.value
		}
	}
	return value
}

// messageReader reads the lines of a message.
type messageReader struct {
	text  []byte
	at    int
	line  int
	parts int
}

// parseMessage reads a message; ok is false when it nests too deeply or has too
// many parts.
func parseMessage(text []byte) (message *entity, ok bool) {
	r := &messageReader{text: text, line: 1}
	message = r.entity(nil)
	return message, message != nil
}

// peek returns the line that is next, with its end, or "".
func (r *messageReader) peek() []byte {
	rest := r.text[r.at:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		return rest[:i+1]
	}
	return rest
}

func (r *messageReader) skip(line []byte) {
	r.at += len(line)
	if bytes.HasSuffix(line, []byte("\n")) {
		r.line++
	}
}

// separates reports whether a line is a boundary; last is the one after the
// last part.
func separates(line []byte, boundary string) (yes, last bool) {
	rest, ok := bytes.CutPrefix(line, []byte("--"+boundary))
	if !ok {
		return false, false
	}
	rest, last = bytes.CutPrefix(rest, []byte("--"))
	return len(bytes.Trim(rest, " \t\r\n")) == 0, last
}

// over reports whether the text or an enclosing message ends here.
func (r *messageReader) over(boundaries []string) bool {
	line := r.peek()
	if len(line) == 0 {
		return true
	}
	if !bytes.HasPrefix(line, []byte("--")) {
		return false
	}
	for _, boundary := range boundaries {
		if yes, _ := separates(line, boundary); yes {
			return true
		}
	}
	return false
}

// entity reads one entity. around are the boundaries of the enclosing ones.
func (r *messageReader) entity(boundaries []string) *entity {
	if r.parts++; r.parts > maxParts || len(boundaries) > maxLevels {
		return nil
	}
	e := &entity{header: r.header(boundaries)}
	contentType := e.header.get("Content-Type")
	e.kind = mediaType(contentType)
	if strings.HasPrefix(e.kind, "multipart/") {
		if !r.multipart(e, parameter(contentType, "boundary"), boundaries) {
			return nil
		}
		return e
	}
	start := r.at
	e.line = r.line
	for !r.over(boundaries) {
		r.skip(r.peek())
	}
	e.body = r.text[start:r.at]
	if r.at < len(r.text) { // the last line end belongs to the boundary
		e.body = bytes.TrimSuffix(bytes.TrimSuffix(e.body, []byte("\n")), []byte("\r"))
	}
	return e
}

// multipart reads the parts of an entity, and what stands before and after.
func (r *messageReader) multipart(e *entity, boundary string, around []string) bool {
	inside := append(append([]string(nil), around...), boundary)
	for open := boundary != ""; open && !r.over(around); {
		line := r.peek()
		r.skip(line)
		yes, last := separates(line, boundary)
		if !yes {
			continue // the preamble
		}
		if last {
			break
		}
		if next, last := separates(r.peek(), boundary); next && !last {
			continue
		}
		part := r.entity(inside)
		if part == nil {
			return false
		}
		e.parts = append(e.parts, part)
	}
	for !r.over(around) { // the epilogue
		r.skip(r.peek())
	}
	return true
}

// maxField is the longest value of a field that is kept, in bytes.
const maxField = 16 << 10

// header reads the header. A line that does not belong there begins the body.
func (r *messageReader) header(boundaries []string) (header fields) {
	var value []byte // of the last field
	keep := func() {
		if len(header) > 0 {
			header[len(header)-1].value = string(value)
		}
	}
	defer keep()
	for !r.over(boundaries) {
		line := r.peek()
		text := strings.TrimRight(string(line), "\r\n")
		name, rest, colon := strings.Cut(text, ":")
		switch {
		case text == "":
			r.skip(line)
			return header
		case text[0] == ' ' || text[0] == '\t':
			if len(header) > 0 && len(header) < maxParts && len(value) < maxField {
				value = append(append(value, ' '), strings.TrimSpace(text)...)
			}
		case strings.HasPrefix(text, "From ") && len(header) == 0:
		case !colon || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }):
			return header
		case len(header) < maxParts:
			keep()
			header = append(header, struct{ name, value string }{name: name})
			rest = strings.TrimSpace(rest)
			value = []byte(rest[:min(len(rest), maxField)])
		}
		r.skip(line)
	}
	return header
}

// mediaType returns the type of a Content-Type, text/plain where it has none.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if strings.Count(kind, "/") != 1 {
		return kindPlain
	}
	return kind
}

// parameters finds the parameters of a field that is not quite right.
var parameters = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`;\s*([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)`) })

// parameter returns a parameter of a field, or "".
func parameter(field, name string) string {
	if _, params, err := mime.ParseMediaType(field); err == nil {
		return params[name]
	}
	for _, found := range parameters().FindAllStringSubmatch(field, -1) {
		if strings.EqualFold(found[1], name) {
			value := strings.TrimSpace(found[2])
			if len(value) >= 2 && value[0] == '"' {
				value = value[1 : len(value)-1]
			}
			return value
		}
	}
	return ""
}

// fileName returns the file name of a part, safe to print, or "".
func (f fields) fileName() string {
	name := parameter(f.get("Content-Disposition"), "filename")
	if name == "" {
		name = parameter(f.get("Content-Type"), "name")
	}
	if decoded, err := new(mime.WordDecoder).DecodeHeader(name); err == nil {
		name = decoded
	}
	return shown(name)
}

// shown makes a name of the user's safe to print.
func shown(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(name, ""))
	const most = 80
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most]) + "..."
	}
	return strings.TrimSpace(name)
}
