package jinja

import (
	"slices"
	"strconv"
	"strings"
)

// expression is a parsed expression. rendering.value evaluates it.
type expression struct {
	at int
	// path names a variable or an attribute in messages: "v1.region".
	path string
	eval func(*rendering) any
}

// unnamed is an expression that is neither a variable nor an attribute.
func unnamed(at int, eval func(*rendering) any) expression { return expression{at, "(...)", eval} }

func constant(at int, value any) expression {
	return unnamed(at, func(*rendering) any { return value })
}

// expression reads an expression: a, or a if b else c.
func (p *parser) expression() expression {
	value := p.operators(1)
	t := p.tokens[0]
	if !p.accept("if") {
		return value
	}
	condition, otherwise := p.operators(1), constant(t.at, "")
	if p.accept("else") {
		otherwise = p.expression()
	}
	return unnamed(t.at, func(r *rendering) any {
		if truth(r.value(condition)) {
			return r.value(value)
		}
		return r.value(otherwise)
	})
}

// The strengths of not and of ==. The weakest operator has 1.
const strengthNot, strengthComparison = 3, 4

// strength returns how strongly an operator binds, 0 for anything else.
func (t token) strength() int {
	levels := []string{" or ", " and ", "", " == != < <= > >= in not ", " + - ", " ~ ", " * / // % ** "}
	return 1 + slices.IndexFunc(levels, func(level string) bool { return t.is(t.text) && strings.Contains(level, " "+t.text+" ") })
}

// operators reads an expression of operators that bind at least so strongly.
func (p *parser) operators(least int) expression {
	value := p.operand(least)
	for {
		t := p.tokens[0]
		strength := t.strength()
		if strength == 0 || strength < least {
			return value
		}
		if p.next(); t.text == "not" {
			p.expect("in")
			t.text = "not in"
		}
		left, right := value, p.operators(strength+1)
		value = unnamed(t.at, func(r *rendering) any { return r.binary(t, left, right) })
		if next := p.tokens[0]; strength == strengthComparison && next.strength() == strength {
			fail(next.at, "cannot use a chain of comparisons of Jinja in user data: write a < b and b < c")
		}
	}
}

// operand reads a value with its filters and tests.
func (p *parser) operand(least int) expression {
	t := p.tokens[0]
	if least <= strengthNot && p.accept("not") {
		value := p.operators(strengthNot)
		return unnamed(t.at, func(r *rendering) any { return !truth(r.value(value)) })
	}
	return p.filters(p.postfix(p.primary()))
}

func (p *parser) primary() expression {
	t := p.next()
	constants := map[string]any{"true": true, "True": true, "false": false, "False": false, "none": nil, "None": nil}
	value, isConstant := constants[t.text]
	if t.is("-") && p.tokens[0].kind == numberToken {
		t = token{numberToken, "-" + p.next().text, t.at, t.line}
	}
	switch {
	case t.kind == stringToken:
		return constant(t.at, t.text)
	case t.kind == numberToken:
		n, _ := strconv.ParseInt(t.text, 10, 64) // wordPattern bounds the digits
		return constant(t.at, n)
	case t.kind == nameToken && isConstant:
		return constant(t.at, value)
	case t.kind == nameToken && !t.reserved() && p.tokens[0].is("("):
		fail(t.at, "cannot use the function %.80q of Jinja in user data", t.text)
	case t.kind == nameToken && !t.reserved():
		return expression{t.at, t.text, func(r *rendering) any {
			if value, ok := r.vars[t.text]; ok {
				return value
			}
			return undefined(t.text)
		}}
	case t.is("["):
		return list(t.at, p.items("]"))
	case t.is("("):
		first := p.expression()
		if p.accept(",") { // a tuple, which behaves like a list here
			return list(t.at, append([]expression{first}, p.items(")")...))
		}
		p.expect(")")
		return first
	}
	fail(t.at, "expected a value here")
	return expression{}
}

// items reads expressions up to a closing bracket.
func (p *parser) items(closing string) []expression {
	var items []expression
	for !p.accept(closing) {
		items = append(items, p.expression())
		if !p.accept(",") {
			p.expect(closing)
			break
		}
	}
	return items
}

func list(at int, items []expression) expression {
	return unnamed(at, func(r *rendering) any {
		values := make([]any, len(items))
		for i, item := range items {
			values[i] = r.defined(item)
		}
		return values
	})
}

// postfix reads what follows a value: .name, .method(), [key].
func (p *parser) postfix(value expression) expression {
	t := p.tokens[0]
	if p.accept("[") {
		key := p.expression()
		p.expect("]")
		return p.postfix(item(t.at, value.path+"[...]", value, key))
	}
	if !p.accept(".") {
		return value
	}
	name := p.name()
	if p.accept("(") {
		return p.postfix(apply(name, value, supported(name, "method", methods()), p.items(")")))
	}
	return p.postfix(item(t.at, value.path+"."+name.text, value, constant(name.at, name.text)))
}

// filters reads | filter(...) and is [not] test.
func (p *parser) filters(value expression) expression {
	switch {
	case p.accept("|"):
		name := p.name()
		filter, args := supported(name, "filter", filters()), []expression(nil)
		if p.accept("(") {
			args = p.items(")")
		}
		return p.filters(apply(name, value, filter, args))
	case p.accept("is"):
		negated := p.accept("not")
		name := p.name()
		want := negated != supported(name, "test", map[string]bool{"defined": false, "undefined": true})
		return p.filters(unnamed(name.at, func(r *rendering) any { return isUndefined(r.value(value)) == want }))
	}
	return value
}

// value returns the value of an expression, which may be undefined. It fails
// where cloud-init has a value that Vars lack.
func (r *rendering) value(e expression) any {
	r.spend(e.at, 1)
	value := e.eval(r)
	if path, missing := value.(undefined); missing {
		if why := r.Withheld(string(path)); why != "" {
			fail(e.at, "%.80s: %s", string(path), why)
		}
	}
	return value
}

// defined returns the value of an expression, and fails where it is undefined.
func (r *rendering) defined(e expression) any {
	value := r.value(e)
	if path, missing := value.(undefined); missing {
		fail(e.at, "%.80[1]s is not defined (write %.80[1]s | default(...) for a value that may be missing)", string(path))
	}
	return value
}

// item is of.name and of[key].
func item(at int, path string, of, key expression) expression {
	return expression{at, path, func(r *rendering) any {
		r.spend(at, 1)
		value := of.eval(r)
		switch {
		case !isUndefined(value):
			return itemOf(at, of.path, value, r.defined(key))
		case r.Withheld(path) != "":
			return undefined(path) // the longer path says more in an error
		}
		return r.defined(of)
	}}
}

func itemOf(at int, path string, of, key any) any {
	i, numbered := key.(int64)
	if list, ok := of.([]any); ok && numbered {
		if i < 0 { // counts from the end
			i += int64(len(list))
		}
		if i >= 0 && i < int64(len(list)) {
			return list[i]
		}
		return undefined(path + "[...]")
	}
	name, named := key.(string)
	mapping, ok := of.(map[string]any)
	if !named || !ok && of != nil {
		fail(at, "cannot look up %s in %s", describe(key), describe(of))
	}
	if value, ok := mapping[name]; ok {
		return value
	}
	return undefined(path + "." + name)
}
