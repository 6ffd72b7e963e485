package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// function is a filter or a method.
type function struct {
	// least and most bound how many arguments it takes.
	least, most int
	run         func(c *call, of any) any
}

// call is a function that is being called.
type call struct {
	*rendering
	at   int
	name string
	args []any
}

// apply is an expression that calls a function.
func apply(name token, of expression, f function, args []expression) expression {
	if len(args) < f.least || len(args) > f.most {
		fail(name.at, "%s takes %d to %d arguments", name.text, f.least, f.most)
	}
	return unnamed(name.at, func(r *rendering) any {
		evaluate := r.defined
		if name.text == "default" || name.text == "d" {
			evaluate = r.value
		}
		c, value := &call{rendering: r, at: name.at, name: name.text}, evaluate(of)
		for _, arg := range args {
			c.args = append(c.args, r.defined(arg))
		}
		r.spendOn(name.at, value)
		return f.run(c, value)
	})
}

// arg returns an argument, or a value for one that was left out.
func (c *call) arg(i int, otherwise any) any {
	if i < len(c.args) {
		return c.args[i]
	}
	return otherwise
}

// text returns an argument that is text, "" for one that was left out.
func (c *call) text(i int) string {
	text, ok := c.arg(i, "").(string)
	if !ok {
		fail(c.at, "argument %d of %s is not text", i+1, c.name)
	}
	return text
}

// filters are the filters that user data may use.
func filters() map[string]function {
	onText := func(args int, change func(c *call, text string) string) function {
		return function{args, args, func(c *call, of any) any { return c.produced(c.at, change(c, c.str(c.at, of))) }}
	}
	return map[string]function{
		"d":       {0, 2, orDefault},
		"default": {0, 2, orDefault},
		"first":   {0, 0, func(c *call, of any) any { return itemOf(c.at, "first", of, int64(0)) }},
		"int":     {0, 1, toInt},
		"join":    {0, 1, func(c *call, of any) any { return c.join(c.at, c.items(c.at, of), c.text(0)) }},
		"last":    {0, 0, func(c *call, of any) any { return itemOf(c.at, "last", of, int64(-1)) }},
		"length":  {0, 0, length},
		"list":    {0, 0, func(c *call, of any) any { return c.items(c.at, of) }},
		"lower":   onText(0, func(_ *call, text string) string { return strings.ToLower(text) }),
		"replace": onText(2, func(c *call, text string) string { return c.join(c.at, c.split(text), c.text(1)) }),
		"string":  onText(0, func(_ *call, text string) string { return text }),
		"trim":    onText(0, func(_ *call, text string) string { return strings.TrimSpace(text) }),
		"upper":   onText(0, func(_ *call, text string) string { return strings.ToUpper(text) }),
	}
}

// methods are the methods that user data may use.
func methods() map[string]function {
	method := func(of string, args int, run func(c *call, of any) any) function {
		return function{args, args, func(c *call, value any) any {
			if describe(value) != of {
				fail(c.at, "%s has no method %s", describe(value), c.name)
			}
			return run(c, value)
		}}
	}
	return map[string]function{
		"endswith":   method("text", 1, func(c *call, of any) any { return strings.HasSuffix(of.(string), c.text(0)) }),
		"items":      method("a mapping", 0, pairs),
		"keys":       method("a mapping", 0, func(c *call, of any) any { return c.items(c.at, of) }),
		"split":      method("text", 1, func(c *call, of any) any { return c.split(of.(string)) }),
		"startswith": method("text", 1, func(c *call, of any) any { return strings.HasPrefix(of.(string), c.text(0)) }),
	}
}

// pairs is the method items.
func pairs(c *call, of any) any {
	pairs := c.items(c.at, of)
	for i, key := range pairs {
		pairs[i] = []any{key, of.(map[string]any)[key.(string)]}
	}
	return pairs
}

func length(c *call, of any) any {
	if text, ok := of.(string); ok {
		return int64(utf8.RuneCountInString(text))
	}
	return int64(len(c.items(c.at, of)))
}

// orDefault is the filter default.
func orDefault(c *call, of any) any {
	if isUndefined(of) || truth(c.arg(1, false)) && !truth(of) {
		return c.arg(0, "")
	}
	return of
}

// toInt is the filter int.
func toInt(c *call, of any) any {
	if n, ok := asNumber(of); ok {
		return n
	}
	text, _ := of.(string)
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return c.arg(0, int64(0))
	}
	if math.IsNaN(f) || math.Abs(f) >= 1<<53 {
		fail(c.at, "the number is too large for the filter int in user data")
	}
	return int64(f)
}

// split cuts text at the first argument.
func (c *call) split(text string) []any {
	if c.text(0) == "" {
		fail(c.at, "%s needs text as its first argument", c.name)
	}
	c.spend(c.at, strings.Count(text, c.text(0)))
	var parts []any
	for part := range strings.SplitSeq(text, c.text(0)) {
		parts = append(parts, part)
	}
	return parts
}
