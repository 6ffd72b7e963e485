package jinja

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// undefined is the value of a variable that does not exist. It holds the path.
type undefined string

func isUndefined(value any) bool {
	_, missing := value.(undefined)
	return missing
}

// describe names the type of a value.
func describe(value any) string {
	names := map[string]string{
		"<nil>": "none", "bool": "true or false", "int64": "a number", "string": "text", "[]interface {}": "a list",
		"map[string]interface {}": "a mapping", "jinja.undefined": "an undefined value",
	}
	return names[fmt.Sprintf("%T", value)]
}

// size is the length of a text in bytes or of a list or a mapping, 0 for others.
func size(value any) int {
	switch v := value.(type) {
	case string:
		return len(v)
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	}
	return 0
}

// asNumber returns a number. As in Python, true is 1 and false is 0.
func asNumber(value any) (n int64, ok bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case bool:
		return map[bool]int64{true: 1}[v], true
	}
	return 0, false
}

// truth is Python's: none, zero and what is empty are false.
func truth(value any) bool {
	n, _ := asNumber(value)
	return n != 0 || size(value) > 0
}

// spendOn counts the steps of going through a value once.
func (r *rendering) spendOn(at int, value any) { r.spend(at, 1+size(value)/16) }

// items returns the items of a list, or the keys of a mapping.
func (r *rendering) items(at int, value any) []any {
	r.spendOn(at, value)
	switch v := value.(type) {
	case undefined:
		return nil
	case []any:
		return v
	case map[string]any:
		keys := []any{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			keys = append(keys, key)
		}
		return keys
	}
	fail(at, "cannot go through the items of %s in user data", describe(value))
	return nil
}

// str returns a value as text, as Python's str does.
func (r *rendering) str(at int, value any) string {
	switch v := value.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		return v
	}
	fail(at, "cannot write %s as text in user data (use a for tag, or the filter join)", describe(value))
	return ""
}

// join returns the text of items with a separator between them.
func (r *rendering) join(at int, items []any, separator string) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = r.str(at, item)
		r.produced(at, texts[i]+separator)
	}
	return strings.Join(texts, separator)
}

// binary evaluates an operator with two sides.
func (r *rendering) binary(sign token, left, right expression) any {
	switch sign.text {
	case "or", "and":
		if value := r.value(left); truth(value) == (sign.text == "or") {
			return value
		}
		return r.value(right)
	case "==", "!=":
		return r.equal(sign.at, r.value(left), r.value(right)) == (sign.text == "==")
	}
	a, b := r.defined(left), r.defined(right)
	s, aText := a.(string)
	t, bText := b.(string)
	switch {
	case sign.text == "in", sign.text == "not in":
		return r.contains(sign.at, b, a) == (sign.text == "in")
	case sign.text == "~", sign.text == "+" && aText && bText:
		return r.join(sign.at, []any{a, b}, "")
	case sign.strength() == strengthComparison && aText && bText:
		r.spendOn(sign.at, s)
		a, b = int64(strings.Compare(s, t)), int64(0)
	}
	return calculate(sign, a, b)
}

// calculate takes whole numbers of 32 bits, of which no result overflows:
// Python's numbers have no limit.
func calculate(sign token, a, b any) any {
	x, xNumber := asNumber(a)
	y, yNumber := asNumber(b)
	if !xNumber || !yNumber || max(x, -x, y, -y) > math.MaxInt32 {
		fail(sign.at, "cannot use %q with %s and %s, or with large numbers, in user data", sign.text, describe(a), describe(b))
	}
	results := map[string]any{"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "+": x + y, "-": x - y, "*": x * y}
	return supported(sign, "operator", results)
}

// equal compares as Python does: 1 == True.
func (r *rendering) equal(at int, a, b any) bool {
	r.spendOn(at, a)
	x, xNumber := asNumber(a)
	y, yNumber := asNumber(b)
	switch {
	case xNumber && yNumber:
		return x == y
	case describe(a) == describe(b) && describe(a) != "text" && a != nil:
		fail(at, "cannot compare %s with %s in user data", describe(a), describe(b))
	}
	return a == b
}

// contains is the operator in.
func (r *rendering) contains(at int, in, value any) bool {
	part, isText := value.(string)
	if text, ok := in.(string); ok && isText {
		r.spendOn(at, text)
		return strings.Contains(text, part)
	}
	return slices.ContainsFunc(r.items(at, in), func(item any) bool { return r.equal(at, item, value) })
}
