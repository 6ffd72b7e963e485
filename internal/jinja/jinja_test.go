package jinja

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func vars() map[string]any {
	return map[string]any{
		"v1":   map[string]any{"name": "host-07", "none": nil, "n": int64(7), "yes": true},
		"list": []any{"b", "A", "c"},
		"map":  map[string]any{"x": "1", "y": []any{"z"}},
		"big":  strings.Repeat("x", 1<<20),
	}
}

func withheld(path string) string {
	if path == "v1.secret" {
		return "it is withheld"
	}
	return ""
}

func render(template string) (*Output, error) {
	return Render(template, Options{Vars: vars(), Withheld: withheld, MaxSize: 16 << 20})
}

// Jinja2 3.1 renders the same. cloudinit/testdata/merge has whole documents that
// cloud-init itself has rendered.
func TestRender(t *testing.T) {
	tests := []struct{ template, want string }{
		{"", ""},
		{"a\n", "a"},
		{"a\n\n", "a\n"},
		{"a\r\nb", "a\nb"},
		{"{{ v1.name }}", "host-07"},
		{"{{ v1['name'] }}{{ v1[\"n\"] }}", "host-077"},
		{"{{ v1.none }} {{ v1.yes }} {{ -3 }} {{ True }} {{ none }}", "None True -3 True None"},
		{"{{ list[0] }}{{ list[-1] }}{{ map['y'][0] }}{{ ['a', 'b'][1] }}{{ ('a', 'b')[0] }}", "bczba"},
		{"{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ 2 - 3 - 4 }} {{ -1 * -2 }}", "3 9 -5 2"},
		{"{{ 'a' ~ 1 ~ none }} {{ 'a' + 'b' }} {{ 'a' ~ 1 + 'b' }}", "a1None ab a1b"},
		{"{{ 1 == 1 }} {{ 1 != 2 }} {{ 'a' < 'b' }} {{ 2 >= 3 }} {{ true == 1 }} {{ 'a' == 1 }}", "True True True False True False"},
		{"{{ v1.none == none }} {{ '22.04' >= '20.04' }} {{ 3 > 2 }} {{ 2 <= 2 }}", "True True True True"},
		{"{{ 'a' in 'abc' }} {{ 'A' not in list }} {{ 'x' in map }} {{ not 1 in [2] }} {{ 1 in (1, 2) }}", "True False True True True"},
		{"{{ nothing or 'x' }} {{ 0 and 1 }} {{ '' or none }} {{ 1 or 2 and 0 }}", "x 0 None 1"},
		{"{{ not nothing and not false }} {{ not 1 == 2 }} {{ v1.name == 'host-07' and 'b' in list }}", "True True True"},
		{"{{ 'a' if nothing else 'b' }}{{ 'c' if false }}{{ 'd' if 0 else 'e' if '' else 'f' }}", "bf"},
		{"{{ nothing | default('x') }} {{ v1.none | default('x') }} {{ v1.none | d('x', true) }} {{ v1.nothing|default }}", "x None x "},
		{"{{ nothing is defined }} {{ v1.name is defined }} {{ v1.nothing is not defined }} {{ x is undefined }}", "False True True True"},
		{"{{ v1.none.x is defined }} {{ list[9] is defined }} {{ list[9] | default('q') }}", "False False q"},
		{"{{ '12' | int + 1 }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ '1.9' | int }} {{ ' -3 ' | int }} {{ true | int }}", "13 0 5 1 -3 1"},
		{"{{ ' a ' | trim }} {{ 'aBc' | upper | lower }} {{ list | join('-') }} {{ list | join }} {{ [1, true] | join(',') }}", "a abc b-A-c bAc 1,True"},
		{"{{ list | length }} {{ map | length }} {{ 'äb' | length }} {{ list | first }} {{ list | last }}", "3 2 2 b c"},
		{"{{ map | list | join }} {{ map.keys() | join(',') }} {{ 5 | string ~ 1 }}", "xy x,y 51"},
		{"{{ 'aa' | replace('a', 'b') }} {{ v1.name | replace('host', '') }} {{ 11 | replace('1', 'x') }}", "bb -07 xx"},
		{"{{ 'a-b-c'.split('-')[-1] }} {{ 'a-b'.split(',') | length }} {{ 'ab'.startswith('a') }} {{ 'ab'.endswith('a') }}", "c 1 True False"},
		{"{{ \"it's\" }} {{ 'say \\\"x\\\"' }} {{ 'x\\ty\\\\' }} {{ 'ä\nb' }}", "it's say \"x\" x\ty\\ ä\nb"},
		{"{% for x in list %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}", "1b,2A,3c"},
		{"{% for x in list %}{{ loop.index0 }}{{ loop.first }}{{ loop.length }} {% endfor %}", "0True3 1False3 2False3 "},
		{"{% for k, v in map.items() %}{{ k }}={{ v | length }};{% endfor %}", "x=1;y=1;"},
		{"{% for k in map %}{{ k }}{% endfor %}{% for x in nothing %}x{% endfor %}{% for x in (1, 2,) %}{{ x }}{% endfor %}", "xy12"},
		{"{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 3 %}{% endif %}{{ x }}", "213"},
		{"{% if false %}\na\n{% elif true %}\nb\n{% else %}\nc\n{% endif %}\nd", "b\nd"},
		{"{% if 0 %}a{% elif 0 %}b{% else %}c{% if 1 %}d{% endif %}{% endif %}", "cd"},
		{"a\n{# x #}\nb{#- y -#} c{# {{ #}", "a\nbc"},
		{"a {%- if true -%} b {%- endif +%}\nc", "ab\nc"},
		{"a\n  {{- ' x ' -}}\n b {{ 'y' }}\nc", "a x b y\nc"},
		{"{% raw %}\n{{ x }}{% endraw %}\n{{ '}}' }}{{ '%}' }}", "\n{{ x }}}}%}"},
		{"a {%- raw -%} {{ b }} {%- endraw -%} c", "a{{ b }}c"},
	}
	for _, tt := range tests {
		out, err := render(tt.template)
		if err != nil {
			t.Errorf("Render(%q): %v", tt.template, err)
			continue
		}
		if diff := cmp.Diff(tt.want, out.Text); diff != "" {
			t.Errorf("Render(%q) (-want, +got):\n%s", tt.template, diff)
		}
	}
}

func TestRenderLines(t *testing.T) {
	out, err := render("one\n{% for i in [0, 1] %}\nthree {{ i }}\n{% endfor %}\n{# x\ny #}\nseven\n{{ 'a\nb' }}\nten\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := "one\nthree 0\nthree 1\nseven\na\nb\nten"; out.Text != want {
		t.Errorf("text = %q, want %q", out.Text, want)
	}
	if diff := cmp.Diff([]int{1, 3, 3, 7, 8, 8, 10}, out.Lines); diff != "" {
		t.Errorf("lines (-want, +got):\n%s", diff)
	}
}

const canary = "hunter2canary"

// Each part of Jinja2 that is missing here is named with its position.
func TestRenderNamesWhatItDoesNotUnderstand(t *testing.T) {
	tests := []wrongTemplate{
		{"\n{{ 'a' | groupby('x') }}", 2, 10, `cannot use the filter "groupby" of Jinja in user data: supported are d, default, first, int, join, `},
		{"{{ 'a' is lower }}", 1, 11, `cannot use the test "lower" of Jinja in user data: supported are defined, undefined`},
		{"\n\n{% include '/etc/passwd' %}", 3, 4, `cannot use the tag "include" of Jinja in user data: supported are for, if, set`},
		{"ä{% macro x() %}{% endmacro %}", 1, 5, `cannot use the tag "macro"`},
		{"{{ lipsum() }}", 1, 4, `cannot use the function "lipsum" of Jinja in user data`},
		{"{{ range(3) }}", 1, 4, `cannot use the function "range" of Jinja in user data`},
		{"{{ 'a'.format(1) }}", 1, 8, `cannot use the method "format" of Jinja in user data: supported are endswith, items, keys, split, startswith`},
		{"{{ 2 ** 9 }}", 1, 6, `cannot use the operator "**" of Jinja in user data: supported are *, +, -,`},
		{"{{ 7 // 2 }}{{ 7 % 2 }}", 1, 6, `cannot use the operator "//"`},
		{"{{ list }}", 1, 4, "cannot write a list as text in user data (use a for tag, or the filter join)"},
		{"{{ {'a': 1} }}", 1, 4, "expected a value here"},
		{"{{ list[1:] }}", 1, 10, `expected "]" here`},
		{"{{ 1.5 }}", 1, 6, "expected a name here"},
		{"{{ 'a' 'b' }}", 1, 8, `expected "}}" here`},
		{"{{ 1 < 2 < 3 }}", 1, 10, "cannot use a chain of comparisons of Jinja in user data: write a < b and b < c"},
		{"{{ 'a' | default(default_value='b') }}", 1, 31, `expected ")" here`},
		{"{% for x in list if x %}{% endfor %}", 1, 18, `expected "%}" here`},
		{"{% for x in list %}{% else %}{% endfor %}", 1, 23, "unexpected else"},
		{"{% for c in 'ab' %}{% endfor %}", 1, 4, "cannot go through the items of text in user data"},
		{"{% set a, b = list %}", 1, 9, `expected "=" here`},
		{"{{ 'a' * 9 }}", 1, 8, `cannot use "*" with text and a number`},
		{"{{ list + list }}", 1, 9, `cannot use "+" with a list and a list`},
		{"{{ list == list }}", 1, 9, "cannot compare a list with a list in user data"},
		{"{{ v1.n.split('-') }}", 1, 9, "a number has no method split"},
		{"{{ 99999999999 * 99999999999 }}", 1, 16, "or with large numbers"},
		{"{{ '9999999999999999999' | int }}", 1, 28, "the number is too large"},
		{"{{ 'a" + `\x41` + canary + "' }}", 1, 1, "has an escape other than"},
	}
	for _, tt := range tests {
		tt.check(t)
	}
}

func TestRenderErrors(t *testing.T) {
	tests := []wrongTemplate{
		{"a\n {{ nothing }}", 2, 5, "nothing is not defined (write nothing | default(...) for a value that may be missing)"},
		{"a\n\n{{ v1.nothing.more }}", 3, 6, "v1.nothing is not defined"},
		{"{{ v1['nothing'] }}", 1, 6, "v1.nothing is not defined"},
		{"{{ v1.secret | default('" + canary + "') }}", 1, 6, "v1.secret: it is withheld"},
		{"{% if v1.secret %}{% endif %}", 1, 9, "v1.secret: it is withheld"},
		{"{{ v1['secret'] is defined }}", 1, 6, "v1.secret: it is withheld"},
		{"{{ ''.__class__ }}", 1, 6, "cannot look up text in text"},
		{"{{ list['" + canary + "'] }}", 1, 8, "cannot look up text in a list"},
		{"{% for a, b in list %}{% endfor %}", 1, 4, "the loop has 2 variables, but an item is not a list of 2"},
		{"{% set loop = 1 %}", 1, 8, "expected the name of a variable here"},
		{"{% for if in list %}{% endfor %}", 1, 8, "expected the name of a variable here"},
		{"{{ 1 < 'a' }}", 1, 6, `cannot use "<" with a number and text`},
		{"{{ 1 in 'a' }}", 1, 6, "cannot go through the items of text"},
		{"{{ 'a' | replace('a') }}", 1, 10, "replace takes 2 to 2 arguments"},
		{"{{ 'a' | replace(1, 2) }}", 1, 10, "argument 1 of replace is not text"},
		{"{{ 'a'.split('') }}", 1, 8, "split needs text as its first argument"},
		{"{{ x", 1, 1, "{{ is not closed"},
		{"a\n{% if true %}\n", 2, 4, "the tag if is not closed by endif"},
		{"{% for x in list %}{% if x %}{% endif %}", 1, 4, "the tag for is not closed by endfor"},
		{"{% endfor %}", 1, 4, "unexpected endfor"},
		{"{% if true %}{% endfor %}", 1, 17, "unexpected endfor"},
		{"{{ ) }}", 1, 4, "expected a value here"},
		{"{{ 1 and or 2 }}", 1, 10, "expected a value here"},
		{"{{ 1 %}", 1, 6, `expected "}}" here`},
		{"{{ 1 '" + canary + "' }}", 1, 6, `expected "}}" here`},
		{"{{ '" + canary + " }}", 1, 1, "or a string in it is not closed"},
		{"{{ $ }}", 1, 4, "cannot read this character"},
		{"{{ 9999999999999999999 }}", 1, 22, `expected "}}" here`},
		{"{# a", 1, 1, "{# is not closed"},
		{"{% raw %}a", 1, 1, "{% raw %} is not closed"},
		{"\xff", 1, 1, "not UTF-8"},
	}
	for _, tt := range tests {
		tt.check(t)
	}
}

// A template cannot take much time, memory or stack.
func TestRenderIsBounded(t *testing.T) {
	many := "[" + strings.Repeat("1,", 4000) + "]"
	loops := func(n int, body string) string {
		return "{% set l = " + many + " %}" + strings.Repeat("{% for i in l %}", n) + body + strings.Repeat("{% endfor %}", n)
	}
	tests := []wrongTemplate{
		{"{{ " + strings.Repeat("(", 90_000), 1, 1, "is not closed"},
		{"{{ " + strings.Repeat("(", 40_000) + "1" + strings.Repeat(")", 40_000) + " }}", 0, 0, "more than 20000 words"},
		{strings.Repeat("{{ 1 + 1 }}", 50_000), 0, 0, "more than 20000 words"},
		{strings.Repeat("{##}a", 50_000), 0, 0, "more than 20000 words"},
		{strings.Repeat("{% if 1 %}", 10_000), 0, 0, "more than 20000 words"},
		{strings.Repeat("{% if 1 %}", 4000), 0, 0, "is not closed"},
		{"{{ v1" + strings.Repeat(".none", 9000) + " }}", 0, 0, "is not defined"},
		{"{{ " + strings.Repeat("-", 9000) + " }}", 0, 0, "expected a value"},
		{loops(2, ""), 0, 0, "too many steps"},
		{loops(1, strings.Repeat("{% if 0 or 0 %}{% endif %}", 300)), 0, 0, "too many steps"},
		{loops(1, "{{ 'y' in big }}"), 0, 0, "too many steps"},
		{loops(1, "{{ big | lower }}"), 0, 0, "too many steps"},
		{"{% set x = big %}" + strings.Repeat("{% set x = x ~ x %}", 64), 0, 0, "more than 16 MiB"},
		{"{{ big | replace('x', big) }}", 0, 0, "too many steps"},
		{"{% set y = 'x' | replace('x', big) %}{{ 'xxxxxxxxxxxxxxxxxxxx' | replace('x', y) }}", 0, 0, "more than 16 MiB"},
		{"{{ big.split('x') }}", 0, 0, "too many steps"},
	}
	for _, tt := range tests {
		tt.check(t)
	}
	for _, template := range []string{
		"{{ " + strings.Repeat("not ", 9000) + "1 }}", "{{ 1" + strings.Repeat(" if 1 else 1", 4000) + " }}",
		"{{ " + strings.Repeat("(", 9000) + "1" + strings.Repeat(")", 9000) + " }}", "{{ 1" + strings.Repeat("+1", 9000) + " }}",
		strings.Repeat("{% if 1 %}", 2000) + strings.Repeat("{% endif %}", 2000), "{{ 'a'" + strings.Repeat("|lower", 9000) + " }}",
	} {
		if _, err := render(template); err != nil {
			t.Errorf("Render(%.40q): %v", template, err)
		}
	}
}

// wrongTemplate is a template with the error that it gives.
type wrongTemplate struct {
	template string
	// line and column are 0 where they do not matter.
	line, column int
	want         string
}

func (tt wrongTemplate) check(t *testing.T) {
	t.Helper()
	out, err := render(tt.template)
	var wrong *Error
	if !errors.As(err, &wrong) {
		t.Errorf("Render(%.60q) = %v, %v, want an error", tt.template, out, err)
		return
	}
	if !strings.Contains(wrong.Message, tt.want) || strings.Contains(wrong.Message, canary) {
		t.Errorf("Render(%.60q) error = %v, want %s", tt.template, err, tt.want)
	}
	if tt.line > 0 && (wrong.Line != tt.line || wrong.Column != tt.column) {
		t.Errorf("Render(%.60q) error is at %d:%d, want %d:%d", tt.template, wrong.Line, wrong.Column, tt.line, tt.column)
	}
}

func FuzzRender(f *testing.F) {
	for _, template := range []string{
		"#cloud-config\nhostname: {{ v1.name }}\n", "{% for x in list -%} {{ loop.index }} {%- endfor %}",
		"{% if v1.n > 3 and 'a' in list %}a{% elif nothing is defined %}b{% else %}c{% endif %}",
		"{% set x = v1.name.split('-')[0] | upper ~ 'x' %}{{ x[1:] }}{# c #}{% raw %}{{ {% endraw %}",
		"{{ [1, (2, 3)][0] }}{{ -1 * 2 + 3 - 4 }}", "{{ 'a' if b else c.d.e }}", "{{ big | replace('x', 'y') | trim }}{{ big.split('y') }}{{ big ~ big }}",
		"{% for k, v in map.items() %}{{ v | default('x') | replace('a', 'b') | int }}{% endfor %}",
	} {
		f.Add(template)
	}
	f.Fuzz(func(t *testing.T, template string) {
		started := time.Now()
		out, err := Render(template, Options{Vars: vars(), Withheld: withheld, MaxSize: 1 << 20})
		if took := time.Since(started); took > 20*time.Second {
			t.Errorf("Render took %s", took)
		}
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) || wrong.Line < 1 || wrong.Column < 1 || wrong.Line > 1+strings.Count(template, "\n")+strings.Count(template, "\r") {
				t.Fatalf("Render() error = %v, want a line of the template", err)
			}
			return
		}
		if len(out.Text) > 1<<20 {
			t.Errorf("Render() made %d bytes", len(out.Text))
		}
		if lines := strings.Count(out.Text, "\n"); len(out.Lines) != lines && len(out.Lines) != lines+1 {
			t.Errorf("Render() = %d lines of text, and %d of them known", lines+1, len(out.Lines))
		}
	})
}
