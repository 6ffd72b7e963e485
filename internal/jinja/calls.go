package jinja

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func filterNames() []string {
	return []string{
		"abs", "capitalize", "count", "d", "default", "first", "float", "indent", "int", "items", "join", "last", "length",
		"list", "lower", "replace", "reverse", "sort", "string", "tojson", "trim", "upper",
	}
}

func testNames() []string {
	return []string{
		"boolean", "defined", "even", "false", "integer", "iterable", "mapping", "none", "number", "odd", "sequence",
		"string", "true", "undefined",
	}
}

// values are the arguments of a call.
func (c call) values(s *state, least, most int) []any {
	if len(c.args) < least || len(c.args) > most {
		fail(c.line, "%s takes %d to %d arguments", shorten(c.name), least, most)
	}
	values := make([]any, len(c.args))
	for i, arg := range c.args {
		values[i] = s.need(c.line, arg.eval(s))
	}
	return values
}

// texts are the arguments of a call that takes text.
func (c call) texts(s *state, least, most int) []string {
	var texts []string
	for _, value := range c.values(s, least, most) {
		text, ok := value.(string)
		if !ok {
			fail(c.line, "%s takes text", shorten(c.name))
		}
		texts = append(texts, text)
	}
	return texts
}

func (e testCall) eval(s *state) any {
	s.step(e.line)
	value := s.known(e.line, e.of.eval(s))
	_, missing := value.(undefined)
	switch e.name {
	case "defined":
		return !missing
	case "undefined":
		return missing
	}
	value = s.need(e.line, value)
	_, whole := value.(int64)
	_, fraction := value.(float64)
	_, flag := value.(bool)
	_, text := value.(string)
	_, list := value.([]any)
	_, mapping := value.(map[string]any)
	switch e.name {
	case "none":
		return value == nil
	case "true", "false":
		return value == (e.name == "true")
	case "boolean":
		return flag
	case "integer":
		return whole
	case "number":
		return whole || fraction || flag
	case "string":
		return text
	case "mapping":
		return mapping
	case "sequence", "iterable":
		return text || list || mapping
	}
	n, ok := value.(int64)
	if !ok {
		fail(e.line, "%s needs a whole number", e.name)
	}
	return (n%2 == 0) == (e.name == "even")
}

func (e filterCall) eval(s *state) any {
	s.step(e.line)
	value := s.known(e.line, e.of.eval(s))
	if e.name == "default" || e.name == "d" {
		return e.otherwise(s, value)
	}
	value = s.need(e.line, value)
	switch e.name {
	case "int":
		return e.whole(s, value)
	case "float":
		return e.float(s, value)
	case "abs":
		return e.abs(s, value)
	case "replace", "indent", "trim", "lower", "upper", "capitalize", "string":
		return e.text(s, value)
	case "tojson":
		e.values(s, 0, 0)
		return s.made(e.line, s.json(e.line, value, 0))
	case "items":
		e.values(s, 0, 0)
		return s.pairs(e.line, value)
	}
	return e.ofList(s, value)
}

// otherwise is the filter default.
func (e filterCall) otherwise(s *state, value any) any {
	args := e.values(s, 0, 2)
	_, missing := value.(undefined)
	if !missing && (len(args) < 2 || !truth(args[1]) || truth(value)) {
		return value
	}
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func (e filterCall) whole(s *state, value any) any {
	otherwise := any(int64(0))
	if args := e.values(s, 0, 1); len(args) > 0 {
		otherwise = args[0]
	}
	text, ok := value.(string)
	switch {
	case value == true:
		return int64(1)
	case value == false:
		return int64(0)
	case !ok:
	case strings.Contains(text, "_"):
		return otherwise
	default:
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			return n
		}
	}
	f, ok := asFloat(value)
	switch {
	case !ok:
		return otherwise
	case f >= 1<<62 || f <= -1<<62:
		fail(e.line, "numbers this large are not supported")
	}
	if n, ok := value.(int64); ok {
		return n
	}
	return int64(f)
}

func (e filterCall) float(s *state, value any) any {
	otherwise := any(0.0)
	if args := e.values(s, 0, 1); len(args) > 0 {
		otherwise = args[0]
	}
	if f, ok := asFloat(value); ok {
		return f
	}
	return otherwise
}

func asFloat(value any) (float64, bool) {
	if text, ok := value.(string); ok {
		text = strings.TrimSpace(text)
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil && !strings.ContainsAny(text, "xXpPnN_") // Go's own forms, and inf and nan
	}
	return number64(value)
}

func (e filterCall) abs(s *state, value any) any {
	e.values(s, 0, 0)
	switch n := value.(type) {
	case int64:
		return max(n, -n)
	case float64:
		return max(n, -n)
	}
	fail(e.line, "abs needs a number")
	return nil
}

func (e filterCall) text(s *state, value any) any {
	text := s.text1(e.line, value)
	s.spend(e.line, len(text)/64+1)
	switch e.name {
	case "replace":
		args := e.texts(s, 2, 2)
		return s.replace(e.line, text, args[0], args[1])
	case "indent":
		return e.indent(s, text)
	case "trim":
		if args := e.texts(s, 0, 1); len(args) > 0 {
			return strings.Trim(text, e.few(args[0]))
		}
		return strings.TrimSpace(text)
	}
	e.values(s, 0, 0)
	switch e.name {
	case "lower":
		text = strings.ToLower(text)
	case "upper":
		text = strings.ToUpper(text)
	case "capitalize":
		text = capitalize(text)
	}
	return s.made(e.line, text)
}

// few are characters to cut off, each of which is compared with each.
func (c call) few(characters string) string {
	if len(characters) > 100 {
		fail(c.line, "%s takes fewer characters", shorten(c.name))
	}
	return characters
}

func capitalize(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + strings.ToLower(text[size:])
}

// replace makes nothing before it is known how large it will be.
func (s *state) replace(line int, text, from, to string) string {
	s.spend(line, (len(text)+len(from)+len(to))/64+1)
	if grown := strings.Count(text, from) * max(len(to)-len(from), 0); len(text)+grown > s.bytes {
		fail(line, "the template makes more than %d MiB of text", s.MaxSize>>20)
	}
	return s.made(line, strings.ReplaceAll(text, from, to))
}

// indent indents all lines but the first, and not the blank ones.
func (e filterCall) indent(s *state, text string) string {
	width := int64(4)
	if args := e.values(s, 0, 1); len(args) > 0 {
		n, ok := args[0].(int64)
		if !ok || n < 0 || n > 1000 {
			fail(e.line, "indent takes a small number")
		}
		width = n
	}
	lines := strings.Split(text, "\n")
	s.spend(e.line, len(lines))
	var out strings.Builder
	for i, line := range lines {
		if i > 0 {
			out.WriteString("\n")
		}
		if i > 0 && line != "" {
			out.WriteString(s.made(e.line, strings.Repeat(" ", int(width))))
		}
		out.WriteString(s.made(e.line, line))
	}
	return out.String()
}

func (e filterCall) ofList(s *state, value any) any {
	if text, ok := value.(string); ok && e.name == "reverse" {
		e.values(s, 0, 0)
		runes := s.runes(e.line, text)
		slices.Reverse(runes)
		return s.made(e.line, string(runes))
	}
	items := s.items(e.line, value)
	if e.name == "join" {
		between := ""
		if args := e.texts(s, 0, 1); len(args) > 0 {
			between = args[0]
		}
		return s.join(e.line, items, between)
	}
	e.values(s, 0, 0)
	switch e.name {
	case "length", "count":
		return int64(len(items))
	case "first", "last":
		if len(items) == 0 {
			return undefined(pathOf(e.of) + " | " + e.name)
		}
		if e.name == "first" {
			return items[0]
		}
		return items[len(items)-1]
	case "reverse":
		slices.Reverse(items)
	case "sort":
		s.sort(e.line, items)
	}
	return items
}

// sort sorts as the filter does: without regard to case.
func (s *state) sort(line int, items []any) {
	slices.SortStableFunc(items, func(a, b any) int {
		s.step(line)
		l, lok := a.(string)
		r, rok := b.(string)
		if lok && rok {
			s.spend(line, (len(l)+len(r))/64+1)
			return cmp.Compare(strings.ToLower(l), strings.ToLower(r))
		}
		return s.order(line, a, b)
	})
}

func (s *state) join(line int, items []any, between string) string {
	var out strings.Builder
	for i, item := range items {
		s.step(line)
		if i > 0 {
			out.WriteString(s.made(line, between))
		}
		out.WriteString(s.made(line, s.text1(line, item)))
	}
	return out.String()
}

// json is the filter tojson: json.dumps with sorted keys, safe in HTML.
func (s *state) json(line int, value any, depth int) string {
	if s.step(line); depth > maxDepth {
		fail(line, "a value nests too deeply")
	}
	switch v := value.(type) {
	case []any:
		parts := make([]any, len(v))
		for i := range v {
			parts[i] = s.json(line, plain(v[i]), depth+1)
		}
		return "[" + s.join(line, parts, ", ") + "]"
	case map[string]any:
		var parts []any
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, ascii(key)+": "+s.json(line, plain(v[key]), depth+1))
		}
		return "{" + s.join(line, parts, ", ") + "}"
	case float64:
		return floatText(line, v)
	case string:
		return ascii(v)
	}
	text, err := json.Marshal(value)
	if err != nil {
		fail(line, "cannot write %s as JSON", describe(value))
	}
	return string(text)
}

// ascii is a text as JSON of ASCII alone, with what HTML knows escaped.
func ascii(text string) string {
	marshaled, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	var out strings.Builder
	for _, r := range string(marshaled) {
		switch {
		case r == '\'':
			out.WriteString(`\u0027`)
		case r < 0x7f:
			out.WriteRune(r)
		default:
			quoted := strconv.QuoteToASCII(string(r))
			if r > 0xffff { // a surrogate pair
				r -= 0x10000
				quoted = `"\u` + strconv.FormatInt(0xd800+int64(r>>10), 16) + `\u` + strconv.FormatInt(0xdc00+int64(r&0x3ff), 16) + `"`
			} else if strings.HasPrefix(quoted, `"\x`) {
				quoted = `"\u00` + quoted[3:]
			}
			out.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return out.String()
}

// pairs are the keys of a mapping with their values.
func (s *state) pairs(line int, value any) any {
	values, ok := value.(map[string]any)
	if !ok {
		fail(line, "items needs a mapping")
	}
	pairs := []any{}
	for _, key := range s.items(line, values) {
		pairs = append(pairs, []any{key, plain(values[key.(string)])})
	}
	return pairs
}

func (e methodCall) eval(s *state) any {
	s.step(e.line)
	switch of := s.need(e.line, e.of.eval(s)).(type) {
	case string:
		return e.ofText(s, of)
	case map[string]any:
		return e.ofMapping(s, of)
	default:
		fail(e.line, "the method %s of %s is not supported", shorten(e.name), describe(of))
	}
	return nil
}

func (e methodCall) ofMapping(s *state, of map[string]any) any {
	switch e.name {
	case "get":
		args := e.values(s, 1, 2)
		if key, ok := args[0].(string); ok {
			if value, ok := of[key]; ok {
				return plain(value)
			}
			s.known(e.line, undefined(join(pathOf(e.of), key)))
		}
		if len(args) > 1 {
			return args[1]
		}
		return nil
	case "items", "keys", "values":
		e.values(s, 0, 0)
		pairs, _ := s.pairs(e.line, of).([]any)
		if e.name == "items" {
			return pairs
		}
		for i, pair := range pairs {
			pairs[i] = pair.([]any)[map[string]int{"keys": 0, "values": 1}[e.name]]
		}
		return pairs
	}
	fail(e.line, "the method %s of a mapping is not supported (only get, items, keys, values)", shorten(e.name))
	return nil
}

func (e methodCall) ofText(s *state, of string) any {
	s.spend(e.line, len(of)/64+1)
	switch e.name {
	case "split", "rsplit":
		return e.split(s, of)
	case "join":
		items := e.values(s, 1, 1)
		return s.join(e.line, s.items(e.line, items[0]), of)
	case "replace":
		args := e.texts(s, 2, 2)
		return s.replace(e.line, of, args[0], args[1])
	case "startswith":
		return strings.HasPrefix(of, e.texts(s, 1, 1)[0])
	case "endswith":
		return strings.HasSuffix(of, e.texts(s, 1, 1)[0])
	case "strip", "lstrip", "rstrip":
		return e.strip(s, of)
	}
	changed, ok := map[string]func(string) string{"lower": strings.ToLower, "upper": strings.ToUpper, "capitalize": capitalize}[e.name]
	if ok {
		e.values(s, 0, 0)
		return s.made(e.line, changed(of))
	}
	fail(e.line, "the method %s of text is not supported (only capitalize, endswith, join, lower, lstrip, replace, "+
		"rsplit, rstrip, split, startswith, strip, upper)", shorten(e.name))
	return nil
}

func (e methodCall) strip(s *state, of string) string {
	cut := func(r rune) bool { return unicode.IsSpace(r) }
	if args := e.texts(s, 0, 1); len(args) > 0 {
		few := e.few(args[0])
		cut = func(r rune) bool { return strings.ContainsRune(few, r) }
	}
	if e.name != "rstrip" {
		of = strings.TrimLeftFunc(of, cut)
	}
	if e.name != "lstrip" {
		of = strings.TrimRightFunc(of, cut)
	}
	return of
}

func (e methodCall) split(s *state, of string) any {
	args := e.values(s, 0, 2)
	var parts []string
	if len(args) == 0 {
		parts = strings.Fields(of)
	} else {
		by, ok := args[0].(string)
		if !ok || by == "" {
			fail(e.line, "%s takes the text to split at", e.name)
		}
		parts = strings.Split(of, by)
		if len(args) > 1 {
			parts = e.fewer(parts, by, args[1])
		}
	}
	s.spend(e.line, len(parts))
	s.made(e.line, of)
	values := make([]any, len(parts))
	for i, part := range parts {
		values[i] = part
	}
	return values
}

// fewer puts together what was split more often than asked.
func (e methodCall) fewer(parts []string, by string, most any) []string {
	n, ok := most.(int64)
	if !ok {
		fail(e.line, "%s takes a number as its second argument", e.name)
	}
	cuts := int64(len(parts) - 1)
	if n < 0 || n >= cuts {
		return parts
	}
	if e.name == "split" {
		return append(parts[:n:n], strings.Join(parts[n:], by))
	}
	return append([]string{strings.Join(parts[:cuts-n+1], by)}, parts[cuts-n+1:]...)
}
