package jinja

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// undefined is the value of what is not there; it has the path.
type undefined string

// plain returns a value in one of the types that the package works with.
func plain(value any) any {
	switch v := value.(type) {
	case int:
		return int64(v)
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
		return float64(v)
	case map[string]string:
		values := make(map[string]any, len(v))
		for key, text := range v {
			values[key] = text
		}
		return values
	case []string:
		values := make([]any, len(v))
		for i, text := range v {
			values[i] = text
		}
		return values
	case nil, bool, int64, float64, string, []any, map[string]any, undefined:
		return v
	}
	return fmt.Sprint(value)
}

// describe names what a value is, and never what it has.
func describe(value any) string {
	switch value.(type) {
	case nil:
		return "none"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return "an undefined value"
}

// truth is Python's: nothing and what is empty are false.
func truth(value any) bool {
	switch v := value.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// items returns what a loop goes through: the items of a list, the keys of a
// mapping, the characters of a text.
func (s *state) items(line int, value any) []any {
	switch v := s.known(line, value).(type) {
	case []any:
		s.spend(line, len(v)+1)
		items := make([]any, len(v))
		for i := range v {
			items[i] = plain(v[i])
		}
		return items
	case map[string]any:
		s.spend(line, len(v)+1)
		items := make([]any, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			items = append(items, key)
		}
		return items
	case string:
		s.spend(line, len(v)+1)
		items := make([]any, 0, len(v))
		for _, r := range v {
			items = append(items, string(r))
		}
		return items
	case undefined:
		return nil
	}
	fail(line, "cannot go through %s", describe(value))
	return nil
}

// text1 returns a value as text, as Python's str does.
func (s *state) text1(line int, value any) string {
	if text, ok := s.need(line, value).(string); ok {
		return text
	}
	var out strings.Builder
	s.repr(&out, line, value, 0)
	return out.String()
}

// repr writes a value as Python's repr does.
func (s *state) repr(out *strings.Builder, line int, value any, depth int) {
	if s.step(line); depth > maxDepth {
		fail(line, "a value nests too deeply")
	}
	switch v := value.(type) {
	case nil:
		out.WriteString("None")
	case bool:
		out.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		out.WriteString(strconv.FormatInt(v, 10))
	case float64:
		out.WriteString(floatText(line, v))
	case string:
		out.WriteString(s.made(line, quote(v)))
	case []any:
		out.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				out.WriteString(", ")
			}
			s.repr(out, line, plain(item), depth+1)
		}
		out.WriteByte(']')
	case map[string]any:
		out.WriteByte('{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				out.WriteString(", ")
			}
			out.WriteString(s.made(line, quote(key)) + ": ")
			s.repr(out, line, plain(v[key]), depth+1)
		}
		out.WriteByte('}')
	}
}

// quote is Python's repr of a str.
func quote(text string) string {
	mark := '\''
	if strings.Contains(text, "'") && !strings.Contains(text, `"`) {
		mark = '"'
	}
	var out strings.Builder
	out.WriteRune(mark)
	for _, r := range text {
		switch {
		case r == mark || r == '\\':
			out.WriteRune('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case strconv.IsPrint(r):
			out.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&out, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			fmt.Fprintf(&out, `\U%08x`, r)
		}
	}
	out.WriteRune(mark)
	return out.String()
}

// floatText is Python's repr of a float.
func floatText(line int, f float64) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		fail(line, "numbers this large are not supported")
	}
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
