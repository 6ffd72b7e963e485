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
		"v1":   map[string]any{"name": "host-07", "none": nil, "n": 7, "f": 1.5, "yes": true},
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

// What is expected here, Jinja2 3.1 makes of the same; what cloud-init makes of
// templates as a whole, the corpus of package cloudinit has.
func TestRender(t *testing.T) {
	tests := []struct{ template, want string }{
		{"", ""},
		{"a\n", "a"},
		{"a\n\n", "a\n"},
		{"a\r\nb", "a\nb"},
		{"{{ v1.name }}", "host-07"},
		{"{{ v1['name'] }}{{ v1[\"n\"] }}", "host-077"},
		{"{{ v1.none }} {{ v1.yes }} {{ v1.f }} {{ 2.0 }} {{ 1e20 }} {{ 0.00001 }}", "None True 1.5 2.0 1e+20 1e-05"},
		{"{{ list }} {{ map }} {{ [] }} {{ (1,) }}", "['b', 'A', 'c'] {'x': '1', 'y': ['z']} [] [1]"},
		{"{{ list[0] }}{{ list[-1] }}{{ list.1 }}{{ list[1:] }}{{ 'abc'[1] }}{{ 'äbc'[:-1] }}", "bcA['A', 'c']bäb"},
		{"{{ 1 + 2 * 3 - 4 }} {{ 7 // -2 }} {{ -7 % 4 }} {{ 1 / 2 }} {{ 2 * 1.5 }}", "3 -4 1 0.5 3.0"},
		{"{{ 'a' ~ 1 ~ none }} {{ 'a' + 'b' }} {{ [1] + [2] }}", "a1None ab [1, 2]"},
		{"{{ 1 == 1.0 }} {{ 1 != 2 }} {{ 'a' < 'b' <= 'b' }} {{ true == 1 }} {{ [1] == [1.0] }}", "True True True True True"},
		{"{{ 'a' in 'abc' }} {{ 'A' not in list }} {{ 'x' in map }} {{ not 1 in [2] }}", "True False True True"},
		{"{{ nothing or 'x' }} {{ 0 and 1 }} {{ '' or none }}", "x 0 None"},
		{"{{ 'a' if nothing else 'b' }}{{ 'c' if false }}", "b"},
		{"{{ nothing | default('x') }} {{ v1.none | default('x') }} {{ v1.none | d('x', true) }} {{ v1.nothing|default }}", "x None x "},
		{"{{ nothing is defined }} {{ v1.name is defined }} {{ v1.nothing is not defined }} {{ 3 is odd }} {{ none is none }}", "False True True True True"},
		{"{{ 1 is number }} {{ 'a' is string }} {{ map is mapping }} {{ list is sequence }} {{ 1.5 is integer }}", "True True True True False"},
		{"{{ -v1.n | abs }} {{ '12' | int + 1 }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ '1.9' | int }} {{ '1.5' | float }}", "7 13 0 5 1 1.5"},
		{"{{ ' a ' | trim }} {{ 'aBc' | upper | lower | capitalize }} {{ list | sort | join('-') }} {{ list | length }}", "a Abc A-b-c 3"},
		{"{{ 'abc' | reverse }} {{ list | first }} {{ list | last }} {{ 'ab' | list }} {{ map | list }}", "cba b c ['a', 'b'] ['x', 'y']"},
		{`{{ map | tojson }} {{ "<'ä😀\"" | tojson }} {{ [1, none, true, 1.5] | tojson }}`, `{"x": "1", "y": ["z"]} "\u003c\u0027\u00e4\ud83d\ude00\"" [1, null, true, 1.5]`},
		{"{{ 'a\nb\n\nc' | indent(2) }}", "a\n  b\n\n  c"},
		{"{{ 'a-b-c'.split('-') }} {{ 'a-b-c'.split('-', 1) }} {{ 'a-b-c'.rsplit('-', 1) }} {{ ' a  b '.split() }}", "['a', 'b', 'c'] ['a', 'b-c'] ['a-b', 'c'] ['a', 'b']"},
		{"{{ 'xax'.strip('x') }} {{ ' a'.lstrip() }} {{ 'a '.rstrip() }} {{ ','.join(list) }} {{ 'aa'.replace('a', 'b') }}", "a a a b,A,c bb"},
		{"{{ map.get('x') }} {{ map.get('q') }} {{ map.get('q', 1) }} {{ map.keys() | list }} {{ map.values() | list | first }}", "1 None 1 ['x', 'y'] 1"},
		{"{{ \"it's\" }} {{ [\"it's\", 'say \"x\"', 'a\\n'] }}", "it's [\"it's\", 'say \"x\"', 'a\\n']"},
		{"{% for x in list %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}", "1b,2A,3c"},
		{"{% for k, v in map.items() %}{{ k }}={{ v }};{% endfor %}", "x=1;y=['z'];"},
		{"{% for x in nothing %}x{% else %}none{% endfor %}{% for x in [] %}x{% endfor %}", "none"},
		{"{% for x in range(2, 9, 3) if x != 5 %}{{ x }}{% endfor %}{% for c in 'ab' %}{{ c }}.{% endfor %}", "28a.b."},
		{"{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 3 %}{% endif %}{{ x }}", "213"},
		{"{% if false %}\na\n{% elif true %}\nb\n{% else %}\nc\n{% endif %}\nd", "b\nd"},
		{"a\n{# x #}\nb{#- y -#} c", "a\nbc"},
		{"a {%- if true -%} b {%- endif +%}\nc", "ab\nc"},
		{"{% raw %}\n{{ x }}{% endraw %}\n{{ '}}' }}{{ {'a': {'b': 1}}['a']['b'] }}", "{{ x }}}}1"},
		{"{{ 'a' 'b' }}{{ 'x\\ty' }}", "abx\ty"},
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
	out, err := render("one\n{% for i in range(2) %}\nthree {{ i }}\n{% endfor %}\n{# x\ny #}\nseven\n{{ 'a\nb' }}\nten\n")
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

func TestRenderErrors(t *testing.T) {
	const canary = "hunter2canary"
	tests := []struct {
		template string
		line     int
		want     string
	}{
		{"a\n{{ nothing }}", 2, "nothing is not defined"},
		{"a\n\n{{ v1.nothing.more }}", 3, "v1.nothing is not defined"},
		{"{{ v1.secret | default('" + canary + "') }}", 1, "v1.secret: it is withheld"},
		{"{% if v1.secret %}{% endif %}", 1, "v1.secret: it is withheld"},
		{"{{ v1.secret is defined }}", 1, "v1.secret: it is withheld"},
		{"{{ v1.get('secret') }}", 1, "v1.secret: it is withheld"},
		{"\n{{ 'a' | base64 }}", 2, "the filter base64 is not supported"},
		{"{{ 'a' is lower }}", 1, "the test lower is not supported"},
		{"\n\n{% include '/etc/passwd' %}", 3, "the tag include is not supported"},
		{"{% macro x() %}{% endmacro %}", 1, "the tag macro is not supported"},
		{"{{ lipsum() }}", 1, "the function lipsum is not supported"},
		{"{{ ''.__class__ }}", 1, "cannot look that up in text"},
		{"{{ 'a'.format(1) }}", 1, "the method format of text is not supported"},
		{"{{ 2 ** 9 }}", 1, "the operator ** is not supported"},
		{"{{ 'a' * 9 }}", 1, "* of text and a number is not supported"},
		{"{{ 1 // 0 }}", 1, "division by zero"},
		{"{{ 99999999999 * 99999999999 }}", 1, "numbers this large"},
		{"{{ 99999999999999999999 }}", 1, "this number is too large"},
		{"{{ x", 1, "{{ is not closed by }}"},
		{"a\n{% if true %}\n", 2, "this tag is not closed by endif"},
		{"{% endfor %}", 1, "unexpected endfor"},
		{"{% if true %}{% endfor %}", 1, "unexpected endfor"},
		{"{{ ) }}", 1, `unexpected ")"`},
		{"{{ 1 '" + canary + "' }}", 1, "expected the end of the tag before a value"},
		{"{{ '" + canary + " }}", 1, "a quote that is not closed"},
		{"{{ '\\x41" + canary + "' }}", 1, "the escape \\x in a string is not supported"},
		{"{{ int(x=1) }}", 1, "the function int is not supported"},
		{"{{ 'a' | default(default_value='b') }}", 1, "arguments by name (default_value=) are not supported"},
		{"{# a", 1, "{# is not closed"},
		{"{% raw %}a", 1, "raw is not closed"},
		{"\xff", 1, "not UTF-8"},
		{"{{ " + strings.Repeat("(", 90_000), 1, "is not closed"},
		{"{{ " + strings.Repeat("(", 40_000) + "1" + strings.Repeat(")", 40_000) + " }}", 1, "nests too deeply"},
		{strings.Repeat("{{ 1 + 1 }}", 50_000), 1, "too many tags"},
		{"{{ " + strings.Repeat("not ", 10_000) + "1 }}", 1, "nests too deeply"},
		{"{{ 1" + strings.Repeat(" if 1 else 1", 1000) + " }}", 1, "nests too deeply"},
		{strings.Repeat("{% if 1 %}", 10_000), 1, "nest too deeply"},
		{"{% for i in range(99999999) %}{% endfor %}", 1, "too many steps"},
		{"{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}", 1, "too many steps"},
		{"{% set x = big %}" + strings.Repeat("{% set x = x ~ x %}", 64), 1, "more than 16 MiB"},
		{"{% set x = [1] %}" + strings.Repeat("{% set x = x + x %}", 64), 1, "too many steps"},
		{"{% set x = [1] %}" + strings.Repeat("{% set x = [x, x] %}", 50) + "{{ x }}", 1, "too many steps"},
		{"{% set x = [1] %}" + strings.Repeat("{% set x = [x, x] %}", 50) + "{{ x == x }}{{ x | tojson }}", 1, "too many steps"},
		{"{% set x = [1] %}" + strings.Repeat("{% set x = [x] %}", 5000) + "{{ x | tojson }}", 1, "nests too deeply"},
		{"{{ big | replace('x', big) }}", 1, "more than 16 MiB"},
		{"{% for i in range(99999) %}{{ 'y' in big }}{% endfor %}", 1, "too many steps"},
		{"{{ big | trim(big) }}{{ big.strip(big) }}", 1, "trim takes fewer characters"},
		{"{{ big.split('x') }}", 1, "too many steps"},
	}
	for _, tt := range tests {
		shown := tt.template[:min(len(tt.template), 60)]
		out, err := render(tt.template)
		var wrong *Error
		if !errors.As(err, &wrong) {
			t.Errorf("Render(%q) = %v, %v, want an error", shown, out, err)
			continue
		}
		if wrong.Line != tt.line || !strings.Contains(wrong.Message, tt.want) || strings.Contains(wrong.Message, canary) {
			t.Errorf("Render(%q) error = %v, want line %d: %s", shown, err, tt.line, tt.want)
		}
	}
}

func FuzzRender(f *testing.F) {
	for _, template := range []string{
		"#cloud-config\nhostname: {{ v1.name }}\n", "{% for x in list -%} {{ loop.index }} {%- endfor %}",
		"{% if v1.n > 3 and 'a' in list %}a{% elif nothing is defined %}b{% else %}c{% endif %}",
		"{% set x = v1.name.split('-')[0] | upper ~ 'x' %}{{ x[1:] }}{# c #}{% raw %}{{ {% endraw %}",
		"{{ map | tojson }}{{ {'a': [1, (2, 3)], 'b': {}}['a'][0] }}{{ -1 // 2 % 3 / 4 }}", "{{ 'a' if b else c.d.e }}", "{{ big.replace('x', 'y') | trim('x') }}{{ big.split('y') }}{{ big ~ big }}",
		"{% for k, v in map.items() if k %}{{ v | default('x') | replace('a', 'b') | indent(2) }}{% else %}{% endfor %}",
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
			if !errors.As(err, &wrong) || wrong.Line < 1 || wrong.Line > 1+strings.Count(template, "\n")+strings.Count(template, "\r") {
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
