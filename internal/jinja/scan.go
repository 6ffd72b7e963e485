package jinja

import (
	"regexp"
	"strings"
	"sync"
)

// kind is what a token is.
type kind int

const (
	textToken   kind = iota // text outside of tags
	printToken              // {{ ... }}
	tagToken                // {% ... %}
	nameToken               // a word
	numberToken             // 1, 1.5
	stringToken             // 'text', without its quotes
	signToken               // an operator or a bracket
	endToken                // the end of the tag or of the template
)

// token is a piece of a template. A tag has its own tokens.
type token struct {
	kind   kind
	text   string
	line   int
	tokens []token
}

// scanner cuts a template into tokens.
type scanner struct {
	rest string
	line int
	// words is how many were read.
	words int
}

// scan returns the texts and the tags of a template. Comments are gone, and
// white space is trimmed: by "-", and after {% %} and {# #} one line end, as
// trim_blocks has it.
func scan(template string) []token {
	s := &scanner{rest: template, line: 1}
	var tokens []token
	trimLine, trimAll := false, false
	for s.rest != "" {
		start := s.nextTag()
		text, line := s.take(start), s.line
		if before := text; trimAll {
			text = strings.TrimLeft(text, " \t\n\v\f")
			line += strings.Count(before[:len(before)-len(text)], "\n")
		} else if trimLine && strings.HasPrefix(text, "\n") {
			text, line = text[1:], line+1
		}
		s.advance(start)
		if strings.HasPrefix(s.rest, "{") && len(s.rest) > 2 && s.rest[2] == '-' {
			text = strings.TrimRight(text, " \t\n\v\f")
		}
		if text != "" {
			tokens = append(tokens, token{kind: textToken, text: text, line: line})
		}
		if s.rest == "" {
			break
		}
		tag, end := s.tag()
		if tag.kind != endToken {
			tokens = append(tokens, tag)
		}
		trimAll = end == "-"
		trimLine = end == "" && tag.kind != printToken && tag.kind != textToken
		if tag.kind == textToken { // {% raw %}: its own end has been trimmed
			trimLine = end == ""
		}
	}
	return append(tokens, token{kind: endToken, line: s.line})
}

func (s *scanner) take(n int) string { return s.rest[:n] }

func (s *scanner) advance(n int) {
	s.line += strings.Count(s.rest[:n], "\n")
	s.rest = s.rest[n:]
}

// nextTag returns where the next tag or comment begins.
func (s *scanner) nextTag() int {
	for i := 0; i+1 < len(s.rest); i++ {
		if s.rest[i] == '{' && strings.IndexByte("{%#", s.rest[i+1]) >= 0 {
			return i
		}
	}
	return len(s.rest)
}

// tag reads the tag that begins here. end is "-" or "+" where it ends so. A
// comment is an endToken, {% raw %} a textToken.
func (s *scanner) tag() (t token, end string) {
	line, opening := s.line, s.rest[:2]
	if opening == "{#" {
		return token{kind: endToken}, s.comment()
	}
	if raw := rawTag().FindString(s.rest); raw != "" {
		return s.raw(raw)
	}
	s.advance(2)
	if s.rest != "" && (s.rest[0] == '-' || s.rest[0] == '+') {
		s.advance(1)
	}
	t = token{kind: printToken, line: line}
	closing := "}}"
	if opening == "{%" {
		t.kind, closing = tagToken, "%}"
	}
	var open []string
	for {
		s.blank()
		if end, ok := s.closes(closing, len(open) == 0); ok {
			t.tokens = append(t.tokens, token{kind: endToken, line: s.line})
			return t, end
		}
		if s.rest == "" {
			fail(line, "%s is not closed by %s", opening, closing)
		}
		word := s.word()
		switch {
		case word.kind != signToken:
		case strings.Contains("([{", word.text):
			open = append(open, word.text)
		case strings.Contains(")]}", word.text):
			if len(open) == 0 || open[len(open)-1]+word.text != map[string]string{")": "()", "]": "[]", "}": "{}"}[word.text] {
				fail(word.line, "unexpected %q", word.text)
			}
			open = open[:len(open)-1]
		}
		t.tokens = append(t.tokens, word)
	}
}

func (s *scanner) blank() {
	s.advance(len(s.rest) - len(strings.TrimLeft(s.rest, " \t\n\v\f")))
}

// closes reads the end of a tag, if it is here.
func (s *scanner) closes(closing string, balanced bool) (end string, ok bool) {
	if !balanced {
		return "", false
	}
	for _, end := range []string{"-", "+", ""} {
		if end == "+" && closing == "}}" {
			continue
		}
		if strings.HasPrefix(s.rest, end+closing) {
			s.advance(len(end) + len(closing))
			return end, true
		}
	}
	return "", false
}

func (s *scanner) comment() (end string) {
	i := strings.Index(s.rest, "#}")
	if i < 2 {
		fail(s.line, "{# is not closed by #}")
	}
	if sign := s.rest[i-1 : i]; i > 2 && (sign == "-" || sign == "+") {
		end = sign
	}
	s.advance(i + 2)
	return end
}

// rawTag and rawEnd are the tags of text that is taken as it is.
var (
	rawTag = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\{%[-+]?\s*raw\s*-?%\}`) })
	rawEnd = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{%([-+]?)\s*endraw\s*([-+]?)%\}`) })
)

func (s *scanner) raw(opening string) (t token, end string) {
	line := s.line
	s.advance(len(opening))
	at := rawEnd().FindStringSubmatchIndex(s.rest)
	if at == nil {
		fail(line, "raw is not closed by endraw")
	}
	text, start := s.rest[:at[0]], s.line
	before := len(text)
	if strings.HasSuffix(opening, "-%}") {
		text = strings.TrimLeft(text, " \t\n\v\f")
	} else {
		text = strings.TrimPrefix(text, "\n")
	}
	start += strings.Count(s.rest[:before-len(text)], "\n")
	if s.rest[at[2]:at[3]] == "-" {
		text = strings.TrimRight(text, " \t\n\v\f")
	}
	end = s.rest[at[4]:at[5]]
	s.advance(at[1])
	return token{kind: textToken, text: text, line: start}, end
}

// The words of a tag (jinja2/lexer.py).
var (
	name   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`) })
	number = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9][0-9_]*(\.[0-9]+)?([eE][+-]?[0-9]+)?`) })
	quoted = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?s:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")`) })
	sign   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(\*\*|//|==|!=|<=|>=|[-+*/%~<>=.,:|()\[\]{}])`) })
)

func (s *scanner) word() token {
	line := s.line
	if s.words++; s.words > maxWords {
		fail(line, "the template has too many tags")
	}
	t := token{line: line}
	switch c := s.rest[0]; {
	case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		t.kind, t.text = nameToken, name().FindString(s.rest)
	case c >= '0' && c <= '9':
		t.kind, t.text = numberToken, number().FindString(s.rest)
	case c == '\'' || c == '"':
		t.kind, t.text = stringToken, quoted().FindString(s.rest)
	default:
		t.kind, t.text = signToken, sign().FindString(s.rest)
	}
	if t.text != "" {
		s.advance(len(t.text))
		if t.kind == stringToken {
			t.text = unescape(line, t.text[1:len(t.text)-1])
		}
		return t
	}
	fail(line, "cannot read the tag: a character that does not belong there, or a quote that is not closed")
	return token{}
}

// unescape returns the text of a string as Python reads it.
func unescape(line int, text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out.WriteByte(text[i])
			continue
		}
		i++
		escaped, ok := map[byte]string{'\\': `\`, '\'': `'`, '"': `"`, 'n': "\n", 't': "\t", 'r': "\r", '\n': ""}[text[i]]
		if !ok {
			fail(line, "the escape \\%c in a string is not supported", text[i])
		}
		out.WriteString(escaped)
	}
	return out.String()
}
