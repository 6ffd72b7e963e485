package jinja

import (
	"maps"
	"slices"
	"strings"
)

// node is a piece of a template. It writes to the output.
type node func(*rendering)

// parser reads the tokens of a template.
type parser struct {
	tokens []token
}

// body reads up to one of the tags that close the tag at start, and returns
// which. The next token stands after that tag's name.
func (p *parser) body(start token, ends ...string) (nodes []node, end string) {
	for {
		t := p.next()
		switch {
		case t.kind == endToken && len(ends) > 0:
			fail(start.at, "the tag %s is not closed by %s", start.text, ends[len(ends)-1])
		case t.kind == endToken:
			return nodes, ""
		case t.kind == textToken:
			nodes = append(nodes, func(r *rendering) { r.write(t, t.text, true) })
		case t.text == "{{":
			value := p.expression()
			p.expect("}}")
			nodes = append(nodes, func(r *rendering) { r.write(t, r.str(value.at, r.defined(value)), false) })
		default:
			tag := p.name()
			if slices.Contains(ends, tag.text) {
				return nodes, tag.text
			}
			nodes = append(nodes, p.tag(tag))
		}
	}
}

func (p *parser) tag(tag token) node {
	if strings.HasPrefix(tag.text, "end") || tag.text == "else" || tag.text == "elif" {
		fail(tag.at, "unexpected %s", tag.text)
	}
	return supported(tag, "tag", map[string]func(token) node{"if": p.parseIf, "for": p.parseFor, "set": p.parseSet})(tag)
}

// supported returns the value for a name, and fails for a part of Jinja2 that
// this package does not understand.
func supported[T any](name token, what string, all map[string]T) T {
	value, ok := all[name.text]
	if !ok {
		names := strings.Join(slices.Sorted(maps.Keys(all)), ", ")
		fail(name.at, "cannot use the %s %.80q of Jinja in user data: supported are %s", what, name.text, names)
	}
	return value
}

func (p *parser) parseIf(tag token) node {
	condition, otherwise := p.expression(), []node(nil)
	p.expect("%}")
	body, end := p.body(tag, "elif", "else", "endif")
	if end == "else" {
		p.expect("%}")
		otherwise, end = p.body(tag, "endif")
	}
	if end == "elif" {
		otherwise = []node{p.parseIf(tag)}
	} else {
		p.expect("%}")
	}
	return func(r *rendering) {
		if truth(r.value(condition)) {
			r.render(body)
		} else {
			r.render(otherwise)
		}
	}
}

func (p *parser) parseSet(token) node {
	name := p.variable()
	p.expect("=")
	value := p.expression()
	p.expect("%}")
	return func(r *rendering) { r.vars[name] = r.value(value) }
}

func (p *parser) parseFor(tag token) node {
	names := []string{p.variable()}
	for p.accept(",") {
		names = append(names, p.variable())
	}
	p.expect("in")
	list := p.operators(1)
	p.expect("%}")
	body, _ := p.body(tag, "endfor")
	p.expect("%}")
	return func(r *rendering) {
		items, outer := r.items(tag.at, r.value(list)), r.vars
		for i, item := range items {
			r.spendOn(tag.at, outer)
			r.vars = maps.Clone(outer)
			values := []any{item}
			if len(names) > 1 { // as for key, value in ds.meta_data.items()
				values, _ = item.([]any)
			}
			if len(values) != len(names) {
				fail(tag.at, "the loop has %d variables, but an item is not a list of %d", len(names), len(names))
			}
			for i, name := range names {
				r.vars[name] = values[i]
			}
			r.vars["loop"] = map[string]any{
				"index": int64(i + 1), "index0": int64(i), "length": int64(len(items)), "first": i == 0, "last": i == len(items)-1,
			}
			r.render(body)
		}
		r.vars = outer
	}
}

func (p *parser) next() token {
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// is reports whether a token is a word, an operator or the end of a tag.
func (t token) is(text string) bool {
	return t.text == text && t.kind != stringToken && t.kind != textToken
}

// accept reads a word, an operator or the end of a tag, if it is next.
func (p *parser) accept(text string) bool {
	accepted := p.tokens[0].is(text)
	if accepted {
		p.next()
	}
	return accepted
}

func (p *parser) expect(text string) {
	if t := p.tokens[0]; !p.accept(text) {
		fail(t.at, "expected %q here", text)
	}
}

func (p *parser) name() token {
	t := p.next()
	if t.kind != nameToken {
		fail(t.at, "expected a name here")
	}
	return t
}

// variable reads the name of a variable that the template sets.
func (p *parser) variable() string {
	t := p.name()
	if t.reserved() || t.text == "loop" {
		fail(t.at, "expected the name of a variable here")
	}
	return t.text
}

func (t token) reserved() bool {
	return strings.Contains(" and or not in is if else true false none True False None ", " "+t.text+" ")
}
