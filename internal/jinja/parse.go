package jinja

import (
	"slices"
	"strings"
)

// node is a piece of a template that can be rendered.
type node interface{ render(s *state) }

type (
	textNode struct {
		text string
		line int
	}
	printNode struct {
		value expression
		line  int
	}
	// branch is one of if, elif and else; condition is nil for the last.
	branch struct {
		condition expression
		body      []node
	}
	ifNode  []branch
	forNode struct {
		line       int
		names      []string
		list       expression
		only       expression
		body, none []node
	}
	setNode struct {
		name  string
		value expression
	}
)

// parser reads the tokens of a template.
type parser struct {
	tokens []token
	depth  int
}

func parse(tokens []token) []node {
	p := &parser{tokens: tokens}
	nodes, _ := p.until(0)
	return nodes
}

// until reads to one of the tags that end what the tag at a line began, and
// returns that tag.
func (p *parser) until(line int, ends ...string) (nodes []node, end *words) {
	if p.depth++; p.depth > maxDepth {
		fail(line, "tags nest too deeply")
	}
	defer func() { p.depth-- }()
	for {
		t := p.tokens[0]
		p.tokens = p.tokens[1:]
		w := &words{tokens: t.tokens}
		switch t.kind {
		case textToken:
			nodes = append(nodes, textNode{t.text, t.line})
		case printToken:
			value := w.expression()
			w.over()
			nodes = append(nodes, printNode{value, t.line})
		case tagToken:
			name := w.name()
			if slices.Contains(ends, name) {
				w.tag = name
				return nodes, w
			}
			nodes = append(nodes, p.tag(name, t.line, w))
		case nameToken, numberToken, stringToken, signToken, endToken:
			if len(ends) > 0 {
				fail(line, "this tag is not closed by %s", ends[len(ends)-1])
			}
			return nodes, nil
		}
	}
}

func (p *parser) tag(name string, line int, w *words) node {
	switch name {
	case "if":
		return p.parseIf(line, w)
	case "for":
		return p.parseFor(line, w)
	case "set":
		return parseSet(w)
	}
	if strings.HasPrefix(name, "end") || name == "else" || name == "elif" {
		fail(line, "unexpected %s", shorten(name))
	}
	fail(line, "the tag %s is not supported", shorten(name))
	return nil
}

func (p *parser) parseIf(line int, w *words) node {
	var branches ifNode
	for {
		b := branch{}
		ends := []string{"endif"}
		if w.tag != "else" {
			b.condition = w.expression()
			ends = []string{"elif", "else", "endif"}
		}
		w.over()
		body, end := p.until(line, ends...)
		b.body = body
		branches = append(branches, b)
		if w = end; w.tag == "endif" {
			w.over()
			return branches
		}
	}
}

func (p *parser) parseFor(line int, w *words) node {
	f := forNode{line: line}
	for {
		f.names = append(f.names, w.variable())
		if !w.accept(",") {
			break
		}
	}
	w.expect("in")
	f.list = w.withoutCondition()
	if w.accept("if") {
		f.only = w.expression()
	}
	if w.peek().text == "recursive" {
		fail(line, "recursive loops are not supported")
	}
	w.over()
	body, end := p.until(line, "else", "endfor")
	f.body = body
	if end.tag == "else" {
		end.over()
		f.none, end = p.until(line, "endfor")
	}
	end.over()
	return f
}

func parseSet(w *words) node {
	set := setNode{name: w.variable()}
	if t := w.peek(); t.text != "=" {
		fail(t.line, "set without \"=\", or of several names, is not supported")
	}
	w.expect("=")
	set.value = w.expression()
	w.over()
	return set
}

// words are the tokens of one tag.
type words struct {
	tokens []token
	depth  int
	// tag is the name of a tag that ended another.
	tag string
}

func (w *words) peek() token { return w.tokens[0] }

func (w *words) next() token {
	t := w.tokens[0]
	if t.kind != endToken {
		w.tokens = w.tokens[1:]
	}
	return t
}

// accept reads a word or an operator, if it is next.
func (w *words) accept(text string) bool {
	t := w.peek()
	if t.text != text || t.kind != nameToken && t.kind != signToken {
		return false
	}
	w.next()
	return true
}

func (w *words) expect(text string) {
	if t := w.peek(); !w.accept(text) {
		fail(t.line, "expected %q %s", text, instead(t))
	}
}

func (w *words) name() string {
	t := w.next()
	if t.kind != nameToken {
		fail(t.line, "expected a name %s", instead(t))
	}
	return t.text
}

// variable is the name of a variable that is set.
func (w *words) variable() string {
	t := w.peek()
	name := w.name()
	if reserved(name) {
		fail(t.line, "expected the name of a variable %s", instead(t))
	}
	return name
}

func reserved(name string) bool {
	switch name {
	case "and", "or", "not", "in", "is", "if", "else", "loop", "true", "false", "none", "True", "False", "None":
		return true
	}
	return false
}

// over fails unless the tag ends here.
func (w *words) over() {
	if t := w.peek(); t.kind != endToken {
		fail(t.line, "expected the end of the tag %s", instead(t))
	}
}

// instead says what stands where something else was expected. A string may be
// a secret.
func instead(t token) string {
	if t.kind == endToken {
		return "before the end of the tag"
	}
	if t.kind == stringToken || t.kind == numberToken {
		return "before a value"
	}
	return "before \"" + shorten(t.text) + "\""
}
