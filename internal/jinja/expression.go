package jinja

import (
	"slices"
	"strconv"
	"strings"
)

// expression is something that has a value.
type expression interface{ eval(s *state) any }

type (
	literal struct{ value any }
	listing struct {
		items []expression
		line  int
	}
	mapping struct {
		keys, values []expression
		line         int
	}
	variable struct {
		name string
		line int
	}
	// item is x.name and x[key].
	item struct {
		of, key expression
		line    int
	}
	slice struct {
		of, from, to expression
		line         int
	}
	// call is a method, a filter or a test, with what it is applied to.
	call struct {
		name string
		of   expression
		args []expression
		line int
	}
	methodCall struct{ call }
	filterCall struct{ call }
	testCall   struct{ call }
	rangeCall  struct {
		args []expression
		line int
	}
	unary struct {
		sign string
		of   expression
		line int
	}
	binary struct {
		sign        string
		left, right expression
		line        int
	}
	// comparison is a == b, and a < b < c.
	comparison struct {
		first expression
		signs []string
		rest  []expression
		line  int
	}
	logic struct {
		and         bool
		left, right expression
		line        int
	}
	choice struct {
		then, condition, otherwise expression
		line                       int
	}
)

func (w *words) enter() func() {
	if w.depth++; w.depth > maxDepth {
		fail(w.peek().line, "the expression nests too deeply")
	}
	return func() { w.depth-- }
}

// expression reads one, with a condition: a if b else c.
func (w *words) expression() expression {
	defer w.enter()()
	value := w.withoutCondition()
	for w.peek().text == "if" && w.peek().kind == nameToken {
		line := w.next().line
		condition := w.withoutCondition()
		var otherwise expression
		if w.accept("else") {
			otherwise = w.expression()
		}
		value = choice{value, condition, otherwise, line}
	}
	return value
}

func (w *words) withoutCondition() expression { return w.or() }

func (w *words) or() expression {
	left := w.and()
	for t := w.peek(); w.accept("or"); t = w.peek() {
		left = logic{false, left, w.and(), t.line}
	}
	return left
}

func (w *words) and() expression {
	left := w.not()
	for t := w.peek(); w.accept("and"); t = w.peek() {
		left = logic{true, left, w.not(), t.line}
	}
	return left
}

func (w *words) not() expression {
	defer w.enter()()
	if t := w.peek(); w.accept("not") {
		return unary{"not", w.not(), t.line}
	}
	return w.comparison()
}

func (w *words) comparison() expression {
	c := comparison{first: w.sum(), line: w.peek().line}
	for {
		t := w.peek()
		switch {
		case t.kind == signToken && strings.Contains(" == != < <= > >= ", " "+t.text+" "):
			w.next()
			c.signs = append(c.signs, t.text)
		case w.accept("in"):
			c.signs = append(c.signs, "in")
		case t.kind == nameToken && t.text == "not" && w.tokens[1].text == "in":
			w.next()
			w.next()
			c.signs = append(c.signs, "not in")
		case len(c.signs) == 0:
			return c.first
		default:
			return c
		}
		c.rest = append(c.rest, w.sum())
	}
}

func (w *words) sum() expression {
	left := w.concatenation()
	for t := w.peek(); w.accept("+") || w.accept("-"); t = w.peek() {
		left = binary{t.text, left, w.concatenation(), t.line}
	}
	return left
}

func (w *words) concatenation() expression {
	left := w.product()
	for t := w.peek(); w.accept("~"); t = w.peek() {
		left = binary{"~", left, w.product(), t.line}
	}
	return left
}

func (w *words) product() expression {
	left := w.signed()
	for t := w.peek(); w.accept("*") || w.accept("/") || w.accept("//") || w.accept("%"); t = w.peek() {
		left = binary{t.text, left, w.signed(), t.line}
	}
	return left
}

// signed reads a value with its filters and tests. As in Jinja2, a sign binds
// tighter than they do.
func (w *words) signed() expression { return w.withSign(true) }

func (w *words) withSign(filters bool) expression {
	defer w.enter()()
	var value expression
	if t := w.peek(); w.accept("-") || w.accept("+") {
		value = unary{t.text, w.withSign(false), t.line}
	} else {
		value = w.postfix(w.primary())
	}
	if t := w.peek(); t.text == "**" && t.kind == signToken {
		fail(t.line, "the operator ** is not supported")
	}
	if filters {
		value = w.filters(value)
	}
	return value
}

func (w *words) primary() expression {
	t := w.next()
	switch {
	case t.kind == stringToken:
		texts := []string{t.text}
		for w.peek().kind == stringToken {
			texts = append(texts, w.next().text)
		}
		return literal{strings.Join(texts, "")}
	case t.kind == numberToken:
		return literal{parseNumber(t)}
	case t.kind == nameToken:
		return w.named(t)
	case t.text == "(" && t.kind == signToken:
		return w.parentheses(t.line)
	case t.text == "[" && t.kind == signToken:
		return listing{w.items("]"), t.line}
	case t.text == "{" && t.kind == signToken:
		return w.mapping(t.line)
	}
	fail(t.line, "expected a value %s", instead(t))
	return nil
}

func parseNumber(t token) any {
	text := strings.ReplaceAll(t.text, "_", "")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !strings.ContainsAny(text, ".eE") {
		fail(t.line, "this number is too large")
	}
	return f
}

func (w *words) named(t token) expression {
	switch t.text {
	case "true", "True":
		return literal{true}
	case "false", "False":
		return literal{false}
	case "none", "None":
		return literal{nil}
	case "range":
		w.expect("(")
		return rangeCall{w.items(")"), t.line}
	}
	if reserved(t.text) && t.text != "loop" {
		fail(t.line, "expected a value %s", instead(t))
	}
	if next := w.peek(); next.text == "(" && next.kind == signToken {
		fail(t.line, "the function %s is not supported", shorten(t.text))
	}
	return variable{t.text, t.line}
}

func (w *words) parentheses(line int) expression {
	if w.accept(")") {
		return listing{nil, line}
	}
	value := w.expression()
	if w.accept(",") { // a tuple, which is as good as a list here
		rest := w.items(")")
		return listing{append([]expression{value}, rest...), line}
	}
	w.expect(")")
	return value
}

func (w *words) items(closing string) []expression {
	var items []expression
	for !w.accept(closing) {
		if t := w.peek(); t.kind == nameToken && len(w.tokens) > 1 && w.tokens[1].text == "=" && w.tokens[1].kind == signToken {
			fail(t.line, "arguments by name (%s=) are not supported", shorten(t.text))
		}
		items = append(items, w.expression())
		if !w.accept(",") {
			w.expect(closing)
			break
		}
	}
	return items
}

func (w *words) mapping(line int) expression {
	m := mapping{line: line}
	for !w.accept("}") {
		m.keys = append(m.keys, w.expression())
		w.expect(":")
		m.values = append(m.values, w.expression())
		if !w.accept(",") {
			w.expect("}")
			break
		}
	}
	return m
}

// postfix reads what follows a value: .name, [key], [from:to], .method().
func (w *words) postfix(value expression) expression {
	for count := 0; ; count++ {
		t := w.peek()
		if count > maxDepth {
			fail(t.line, "the expression nests too deeply")
		}
		switch {
		case w.accept("."):
			value = w.attribute(value, t.line)
		case w.accept("["):
			value = w.subscript(value, t.line)
		case t.text == "(" && t.kind == signToken:
			fail(t.line, "this cannot be called")
		default:
			return value
		}
	}
}

func (w *words) attribute(of expression, line int) expression {
	t := w.next()
	if t.kind == numberToken {
		return item{of, literal{parseNumber(t)}, line}
	}
	if t.kind != nameToken {
		fail(t.line, "expected a name %s", instead(t))
	}
	if w.accept("(") {
		return methodCall{call{t.text, of, w.items(")"), line}}
	}
	return item{of, literal{t.text}, line}
}

func (w *words) subscript(of expression, line int) expression {
	var from, to expression
	if !w.accept(":") {
		from = w.expression()
		if w.accept("]") {
			return item{of, from, line}
		}
		w.expect(":")
	}
	if t := w.peek(); t.text != "]" && t.text != ":" {
		to = w.expression()
	}
	if t := w.peek(); t.text == ":" && t.kind == signToken {
		fail(t.line, "slices with a step are not supported")
	}
	w.expect("]")
	return slice{of, from, to, line}
}

// filters reads | filter(...) and is [not] test.
func (w *words) filters(value expression) expression {
	for count := 0; ; count++ {
		t := w.peek()
		if count > maxDepth {
			fail(t.line, "the expression nests too deeply")
		}
		switch {
		case w.accept("|"):
			c := call{name: w.name(), of: value, line: t.line}
			if w.accept("(") {
				c.args = w.items(")")
			}
			c.mustBe("filter", filterNames())
			value = filterCall{c}
		case w.accept("is"):
			not := w.accept("not")
			c := call{name: w.name(), of: value, line: t.line}
			c.mustBe("test", testNames())
			value = testCall{c}
			if not {
				value = unary{"not", value, t.line}
			}
		default:
			return value
		}
	}
}

// mustBe fails at a filter or a test that is not supported, used or not.
func (c call) mustBe(what string, names []string) {
	if slices.Contains(names, c.name) {
		return
	}
	fail(c.line, "the %s %s is not supported (only %s)", what, shorten(c.name), strings.Join(names, ", "))
}
