// Package jinja renders the templates that people write in user data: the part
// of Jinja2 that reads values, chooses between them and repeats text. A
// template is hostile input: it reaches nothing but the values that it is
// given, and the work and the memory that it may cost are bounded, which the
// general engines for Go do not offer. What is not supported is an error that
// names it and its line; nothing is rendered in another way than Jinja2 does.
package jinja

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxSteps is how many operations a template may take.
	maxSteps = 500_000
	// maxWords is how many words all tags may have together.
	maxWords = 100_000
	// maxDepth is how deep tags and expressions may nest.
	maxDepth = 60
)

// Options say what a template may use.
type Options struct {
	// Vars are the variables: nil, bool, int, int64, float64, string, []any
	// and map[string]any.
	Vars map[string]any
	// Withheld says why a variable that Vars lack may not be taken for one
	// that is undefined, by its path ("v1.distro"), and "" where it is. It may
	// be nil.
	Withheld func(path string) string
	// MaxSize bounds the text, and all that is made on the way to it together.
	MaxSize int
}

// Output is a rendered template.
type Output struct {
	Text string
	// Lines has the template's line, from 1, for each line of Text.
	Lines []int
}

// Error is what is wrong in a template. It quotes names, and no values.
type Error struct {
	// Line counts from 1.
	Line    int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// fail ends the rendering; Render catches it. Without it each of the many
// small steps of an expression would pass an error on.
func fail(line int, format string, args ...any) {
	panic(&Error{Line: line, Message: fmt.Sprintf(format, args...)})
}

// Render renders a template as cloud-init has Jinja2 do it: with trim_blocks,
// and without the one line end at its end. The error is an *Error.
func Render(template string, o Options) (out *Output, err error) {
	defer func() {
		switch failure := recover().(type) {
		case nil:
		case *Error:
			out, err = nil, failure
		default:
			panic(failure)
		}
	}()
	if !utf8.ValidString(template) {
		fail(1, "not UTF-8 text")
	}
	template = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(template)
	template = strings.TrimSuffix(template, "\n")
	s := &state{Options: o, scopes: []map[string]any{{}}, steps: maxSteps, bytes: o.MaxSize}
	for _, n := range parse(scan(template)) {
		n.render(s)
	}
	return &Output{Text: s.text.String(), Lines: s.lines}, nil
}

// state is a rendering under way.
type state struct {
	Options
	scopes []map[string]any
	text   strings.Builder
	lines  []int
	// steps and bytes are what is left.
	steps, bytes int
}

// step counts an operation.
func (s *state) step(line int) { s.spend(line, 1) }

func (s *state) spend(line, steps int) {
	if s.steps -= steps; s.steps < 0 {
		fail(line, "the template takes too many steps: write it with fewer or shorter loops")
	}
}

// made counts text that was made, so that no template can fill the memory.
func (s *state) made(line int, text string) string {
	if s.bytes -= len(text); s.bytes < 0 {
		fail(line, "the template makes more than %d MiB of text", s.MaxSize>>20)
	}
	return text
}

// write adds to the output. Text of several lines comes from as many lines of
// the template when it is the template's own, and from one when it is a value.
func (s *state) write(line int, text string, own bool) {
	s.made(line, text)
	for i, part := range strings.SplitAfter(text, "\n") {
		at := line
		if own {
			at += i
		}
		if part != "" && (s.text.Len() == 0 || strings.HasSuffix(s.lastByte(), "\n")) {
			s.lines = append(s.lines, at)
		}
		s.text.WriteString(part)
	}
}

func (s *state) lastByte() string {
	text := s.text.String()
	return text[len(text)-1:]
}

// lookUp returns a variable.
func (s *state) lookUp(name string) any {
	for _, scope := range slices.Backward(s.scopes) {
		if value, ok := scope[name]; ok {
			return value
		}
	}
	if value, ok := s.Vars[name]; ok {
		return plain(value)
	}
	return undefined(name)
}

// known fails where a value is not known here and cloud-init has it.
func (s *state) known(line int, value any) any {
	path, missing := value.(undefined)
	if !missing || s.Withheld == nil {
		return value
	}
	if why := s.Withheld(string(path)); why != "" {
		fail(line, "%s: %s", shorten(string(path)), why)
	}
	return value
}

// need fails where a value is undefined.
func (s *state) need(line int, value any) any {
	if path, missing := s.known(line, value).(undefined); missing {
		fail(line, "%s is not defined (write %s | default(...) for a value that may be missing)", shorten(string(path)), shorten(string(path)))
	}
	return value
}

// shorten bounds what a message repeats of the template's own words.
func shorten(name string) string {
	const most = 80
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "..."
}
