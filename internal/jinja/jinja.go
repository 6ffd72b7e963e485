// Package jinja renders the part of Jinja2 that user data needs, as Jinja2 does.
// Anything outside that part is an error with a name and a position. A template
// is untrusted input: it reads nothing but the variables that it is given, and
// the work and the memory that it may use are bounded.
package jinja

import (
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"
)

const (
	// maxSteps is how many operations a template may take.
	maxSteps = 500_000
	// maxTokens is how many words its tags may have. It also bounds the nesting.
	maxTokens = 20_000
)

// Options say what a template may use.
type Options struct {
	// Vars are the variables: nil, bool, int64, string, []any and
	// map[string]any, also within lists and mappings.
	Vars map[string]any
	// Withheld returns why a variable that Vars lack, by its path
	// ("v1.distro"), must not be treated as undefined, or "".
	Withheld func(path string) string
	// MaxSize bounds the output and all intermediate text together, in bytes.
	MaxSize int
}

// Output is a rendered template.
type Output struct {
	Text string
	// Lines has the template's line, from 1, for each line of Text.
	Lines []int
}

// Error says what is wrong in a template. It quotes names, never values.
type Error struct {
	// Line and Column count from 1.
	Line, Column int
	Message      string
	at           int
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// fail ends the rendering with an error at an offset of the template. It panics
// and Render recovers, so that the many small steps return no errors.
func fail(at int, format string, args ...any) {
	panic(&Error{at: at, Message: fmt.Sprintf(format, args...)})
}

// Render renders a template as cloud-init does: with trim_blocks, and without the
// line end at its end. The error is an *Error.
func Render(template string, o Options) (out *Output, err error) {
	if !utf8.ValidString(template) {
		return nil, &Error{Line: 1, Column: 1, Message: "the template is not UTF-8 text"}
	}
	template = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(template)
	template = strings.TrimSuffix(template, "\n")
	r := &rendering{Options: o, vars: map[string]any{}, steps: maxSteps, bytes: o.MaxSize}
	maps.Copy(r.vars, o.Vars)
	defer func() {
		switch problem := recover().(type) {
		case nil:
		case *Error:
			before := template[:problem.at]
			problem.Line = strings.Count(before, "\n") + 1
			problem.Column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
			out, err = nil, problem
		default:
			panic(problem)
		}
	}()
	p := &parser{tokens: scan(template)}
	nodes, _ := p.body(p.tokens[0])
	r.render(nodes)
	return &Output{Text: r.text.String(), Lines: r.lines}, nil
}

// rendering is a template that is being rendered.
type rendering struct {
	Options
	vars  map[string]any
	text  strings.Builder
	lines []int
	// steps and bytes are what the template may still use.
	steps, bytes int
}

// spend counts operations.
func (r *rendering) spend(at, steps int) {
	if r.steps -= steps; r.steps < 0 {
		fail(at, "the template takes too many steps (use fewer or shorter loops)")
	}
}

// produced counts a text, so that no template can fill the memory.
func (r *rendering) produced(at int, text string) string {
	if r.bytes -= len(text); r.bytes < 0 {
		fail(at, "the template produces more than %d MiB of text", r.MaxSize>>20)
	}
	return text
}

func (r *rendering) render(nodes []node) {
	for _, write := range nodes {
		write(r)
	}
}

// write adds to the output. The lines of a value all come from the line of its
// tag; the lines of literal text are the template's own.
func (r *rendering) write(t token, text string, literal bool) {
	r.spend(t.at, 1)
	for part := range strings.Lines(r.produced(t.at, text)) {
		if before := r.text.String(); before == "" || strings.HasSuffix(before, "\n") {
			r.lines = append(r.lines, t.line)
		}
		r.text.WriteString(part)
		if literal {
			t.line++
		}
	}
}
