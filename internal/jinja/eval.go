package jinja

import (
	"math"
	"slices"
	"strings"
)

func (e literal) eval(*state) any { return e.value }

func (e listing) eval(s *state) any {
	values := make([]any, len(e.items))
	for i, item := range e.items {
		s.step(e.line)
		values[i] = s.need(e.line, item.eval(s))
	}
	return values
}

func (e mapping) eval(s *state) any {
	values := make(map[string]any, len(e.keys))
	for i, key := range e.keys {
		s.step(e.line)
		name, ok := key.eval(s).(string)
		if !ok {
			fail(e.line, "keys that are no text are not supported")
		}
		values[name] = s.need(e.line, e.values[i].eval(s))
	}
	return values
}

func (e variable) eval(s *state) any {
	s.step(e.line)
	return s.lookUp(e.name)
}

func (e item) eval(s *state) any {
	s.step(e.line)
	of := e.of.eval(s)
	if _, missing := of.(undefined); missing {
		s.known(e.line, undefined(pathOf(e))) // the longer path tells more
	}
	of = s.need(e.line, of)
	switch key := s.need(e.line, e.key.eval(s)).(type) {
	case string:
		if values, ok := of.(map[string]any); ok {
			if value, ok := values[key]; ok {
				return plain(value)
			}
			return undefined(join(pathOf(e.of), key))
		}
		if of == nil {
			return undefined(join(pathOf(e.of), key))
		}
	case int64:
		switch of := of.(type) {
		case []any:
			if i, ok := index(key, len(of)); ok {
				return plain(of[i])
			}
			return undefined(pathOf(e))
		case string:
			runes := s.runes(e.line, of)
			if i, ok := index(key, len(runes)); ok {
				return string(runes[i])
			}
			return undefined(pathOf(e))
		}
	}
	fail(e.line, "cannot look that up in %s", describe(of))
	return nil
}

// index returns an index of Python's, from the end where it is negative.
func index(i int64, length int) (int, bool) {
	if i < 0 {
		i += int64(length)
	}
	return int(i), i >= 0 && i < int64(length)
}

func (s *state) runes(line int, text string) []rune {
	s.spend(line, len(text)/64+1)
	return []rune(text)
}

// pathOf names an expression in messages: "ds.meta_data.tags".
func pathOf(e expression) string {
	switch e := e.(type) {
	case variable:
		return e.name
	case item:
		if key, ok := e.key.(literal); ok {
			if name, ok := key.value.(string); ok {
				return join(pathOf(e.of), name)
			}
		}
		return pathOf(e.of) + "[...]"
	}
	return "(...)"
}

func join(path, name string) string { return path + "." + name }

func (e slice) eval(s *state) any {
	of := s.need(e.line, e.of.eval(s))
	bounds := func(length int) (from, to int) {
		return s.bound(e.line, e.from, 0, length), s.bound(e.line, e.to, length, length)
	}
	switch of := of.(type) {
	case []any:
		from, to := bounds(len(of))
		s.spend(e.line, len(of)+1)
		return slices.Clone(of[from:max(from, to)])
	case string:
		runes := s.runes(e.line, of)
		from, to := bounds(len(runes))
		return s.made(e.line, string(runes[from:max(from, to)]))
	}
	fail(e.line, "cannot take a slice of %s", describe(of))
	return nil
}

func (s *state) bound(line int, e expression, otherwise, length int) int {
	if e == nil {
		return otherwise
	}
	i, ok := s.need(line, e.eval(s)).(int64)
	if !ok {
		fail(line, "the bounds of a slice are not numbers")
	}
	if i < 0 {
		i += int64(length)
	}
	return int(min(max(i, 0), int64(length)))
}

func (e rangeCall) eval(s *state) any {
	var n []int64
	for _, arg := range e.args {
		i, ok := arg.eval(s).(int64)
		if !ok {
			fail(e.line, "range takes whole numbers")
		}
		n = append(n, i)
	}
	from, to, step := int64(0), int64(0), int64(1)
	switch len(n) {
	case 1:
		to = n[0]
	case 2:
		from, to = n[0], n[1]
	case 3:
		from, to, step = n[0], n[1], n[2]
	default:
		fail(e.line, "range takes 1 to 3 numbers")
	}
	if step < 1 || max(from, -from) > math.MaxInt32 || max(to, -to) > math.MaxInt32 || step > math.MaxInt32 {
		fail(e.line, "range of such numbers is not supported")
	}
	values := []any{}
	for i := from; i < to; i += step {
		s.step(e.line)
		values = append(values, i)
	}
	return values
}

func (e choice) eval(s *state) any {
	if s.truth(e.condition) {
		return e.then.eval(s)
	}
	if e.otherwise == nil {
		return ""
	}
	return e.otherwise.eval(s)
}

func (e logic) eval(s *state) any {
	left := s.known(e.line, e.left.eval(s))
	if truth(left) != e.and {
		return left
	}
	return e.right.eval(s)
}

// truth reports whether an expression is true as Python has it.
func (s *state) truth(e expression) bool { return truth(s.known(lineOf(e), e.eval(s))) }

func lineOf(e expression) int {
	switch e := e.(type) {
	case variable:
		return e.line
	case item:
		return e.line
	case logic:
		return e.line
	case choice:
		return max(lineOf(e.then), e.line)
	}
	return 1
}

func (e unary) eval(s *state) any {
	s.step(e.line)
	if e.sign == "not" {
		return !truth(s.known(e.line, e.of.eval(s)))
	}
	switch n := s.need(e.line, e.of.eval(s)).(type) {
	case int64:
		if e.sign == "-" && n != math.MinInt64 {
			return -n
		}
		return n
	case float64:
		if e.sign == "-" {
			return -n
		}
		return n
	}
	fail(e.line, "%s needs a number", e.sign)
	return nil
}

func (e binary) eval(s *state) any {
	s.step(e.line)
	left, right := s.need(e.line, e.left.eval(s)), s.need(e.line, e.right.eval(s))
	if e.sign == "~" {
		return s.made(e.line, s.text1(e.line, left)+s.text1(e.line, right))
	}
	switch l := left.(type) {
	case string:
		if r, ok := right.(string); ok && e.sign == "+" {
			return s.made(e.line, l+r)
		}
	case []any:
		if r, ok := right.([]any); ok && e.sign == "+" {
			s.spend(e.line, len(l)+len(r)+1)
			return slices.Concat(l, r)
		}
	case int64:
		if r, ok := right.(int64); ok {
			return e.whole(l, r)
		}
	}
	l, lok := number64(left)
	r, rok := number64(right)
	if !lok || !rok {
		fail(e.line, "%s of %s and %s is not supported", e.sign, describe(left), describe(right))
	}
	return e.float(l, r)
}

// whole calculates with whole numbers, of which Python's have no end.
func (e binary) whole(l, r int64) any {
	const most = math.MaxInt32
	if e.sign == "/" {
		return e.float(float64(l), float64(r))
	}
	if max(l, -l) > most || max(r, -r) > most {
		fail(e.line, "numbers this large are not supported")
	}
	if r == 0 && e.sign != "+" && e.sign != "-" && e.sign != "*" {
		fail(e.line, "division by zero")
	}
	switch e.sign {
	case "+":
		return l + r
	case "-":
		return l - r
	case "*":
		return l * r
	case "//":
		return (l - ((l%r)+r)%r) / r
	}
	return ((l % r) + r) % r
}

func (e binary) float(l, r float64) any {
	if r == 0 && e.sign == "/" {
		fail(e.line, "division by zero")
	}
	var value float64
	switch e.sign {
	case "+":
		value = l + r
	case "-":
		value = l - r
	case "*":
		value = l * r
	case "/":
		value = l / r
	default:
		fail(e.line, "%s of numbers with a fraction is not supported", e.sign)
	}
	return value
}

// number64 returns a number that is no bool.
func number64(value any) (float64, bool) {
	switch n := value.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func (e comparison) eval(s *state) any {
	left := s.known(e.line, e.first.eval(s))
	for i, sign := range e.signs {
		s.step(e.line)
		right := s.known(e.line, e.rest[i].eval(s))
		if !s.compare(e.line, sign, left, right) {
			return false
		}
		left = right
	}
	return true
}

func (s *state) compare(line int, sign string, left, right any) bool {
	switch sign {
	case "==":
		return s.equal(line, left, right, 0)
	case "!=":
		return !s.equal(line, left, right, 0)
	case "in":
		return s.contains(line, s.need(line, right), s.need(line, left))
	case "not in":
		return !s.contains(line, s.need(line, right), s.need(line, left))
	}
	order := s.order(line, s.need(line, left), s.need(line, right))
	switch sign {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func (s *state) order(line int, left, right any) int {
	if l, ok := left.(string); ok {
		if r, ok := right.(string); ok {
			s.spend(line, min(len(l), len(r))/64+1)
			return strings.Compare(l, r)
		}
	}
	l, lok := number64(left)
	r, rok := number64(right)
	if !lok || !rok {
		fail(line, "cannot compare %s with %s", describe(left), describe(right))
	}
	switch {
	case l < r:
		return -1
	case l > r:
		return 1
	}
	return 0
}

// equal compares as Python does: 1 == 1.0 == True.
func (s *state) equal(line int, left, right any, depth int) bool {
	s.step(line)
	if depth > maxDepth {
		fail(line, "a value nests too deeply")
	}
	switch l := left.(type) {
	case nil:
		return right == nil
	case undefined:
		_, missing := right.(undefined)
		return missing
	case string:
		r, ok := right.(string)
		s.spend(line, len(l)/64+1)
		return ok && l == r
	case []any:
		r, ok := right.([]any)
		if !ok || len(l) != len(r) {
			return false
		}
		for i := range l {
			if !s.equal(line, plain(l[i]), plain(r[i]), depth+1) {
				return false
			}
		}
		return true
	case map[string]any:
		r, ok := right.(map[string]any)
		if !ok || len(l) != len(r) {
			return false
		}
		for key := range l {
			other, ok := r[key]
			if !ok || !s.equal(line, plain(l[key]), plain(other), depth+1) {
				return false
			}
		}
		return true
	}
	l, lok := numberOrBool(left)
	r, rok := numberOrBool(right)
	return lok && rok && l == r
}

func numberOrBool(value any) (float64, bool) {
	switch value {
	case true:
		return 1, true
	case false:
		return 0, true
	}
	return number64(value)
}

func (s *state) contains(line int, in, value any) bool {
	switch in := in.(type) {
	case string:
		part, ok := value.(string)
		if !ok {
			fail(line, "cannot look for %s in text", describe(value))
		}
		s.spend(line, len(in)/64+1)
		return strings.Contains(in, part)
	case []any:
		return slices.ContainsFunc(in, func(item any) bool { return s.equal(line, plain(item), value, 0) })
	case map[string]any:
		key, ok := value.(string)
		if !ok {
			return false
		}
		_, found := in[key]
		return found
	}
	fail(line, "cannot look for anything in %s", describe(in))
	return false
}
