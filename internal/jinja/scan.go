package jinja

import (
	"regexp"
	"strings"
	"sync"
)

type kind int

// The kinds of tokens.
const (
	endToken    kind = iota // the end of the template
	textToken               // text outside of tags
	nameToken               // a word
	numberToken             // 12
	stringToken             // 'text', without its quotes and escapes
	signToken               // an operator, a bracket, or the edge of a tag
)

// token is a piece of a template, at an offset and a line of it.
type token struct {
	kind     kind
	text     string
	at, line int
}

const (
	// space is what "-" at the edge of a tag trims.
	space = " \t\n\v\f"
	// quoted is a string: of Python's many escapes, it may have a few.
	quoted = `'(?:[^'\\]|\\[\\'"nt])*'|"(?:[^"\\]|\\[\\'"nt])*"`
	// tagSyntax has these groups: sign and sign of a comment; sign, sign, text,
	// sign and sign of {% raw %}text{% endraw %}; opening, sign, words, sign and
	// closing of another tag. A lone opening is one that is not closed.
	tagSyntax = `(?s)\{(?:#([-+]?).*?([-+]?)#\}|%([-+]?)\s*raw\s*(-?)%\}(.*?)\{%([-+]?)\s*endraw\s*([-+]?)%\}|` +
		`([{%])([-+]?)((?:[^'"]|` + quoted + `)*?)([-+]?)(\}\}|%\})|[{%#])`
	// wordSyntax has one group for each kind of word, from nameToken on.
	wordSyntax = `^(?s:([A-Za-z_][A-Za-z0-9_]*)|([0-9]{1,18})|(` + quoted + `)|` +
		`(\*\*|//|==|!=|<=|>=|[-+*/%~<>=.,:|()\[\]{}]))`
)

// The expressions are compiled for the first template: most hosts have none.
var (
	tagPattern  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(tagSyntax) })
	wordPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(wordSyntax) })
)

// scanner cuts a template into tokens.
type scanner struct {
	template string
	// at is the offset that the scanner has reached.
	at     int
	tokens []token
	// trim says what the tag before cuts off the text after it: "-" at its end all
	// white space, "" one line end (trim_blocks), anything else nothing.
	trim string
}

// scan returns the texts of a template and the words of its tags, without
// comments. White space around tags is trimmed.
func scan(template string) []token {
	s := &scanner{template: template, trim: "+", tokens: []token{{line: 1}}}
	for {
		rest, from := template[s.at:], s.at
		tag := tagPattern().FindStringSubmatchIndex(rest)
		if tag == nil {
			s.text(len(template), "")
			s.add(endToken, "", len(template))
			return s.tokens[1:]
		}
		group := func(i int) string { return rest[max(tag[2*i], 0):max(tag[2*i+1], 0)] }
		start, end := from+tag[0], from+tag[1]
		s.text(start, group(1)+group(3)+group(9))
		switch {
		case tag[2] >= 0: // a comment
			s.trim = group(2)
		case tag[6] >= 0: // raw, which does not cut off a line end
			s.at, s.trim = from+tag[10], "+"+group(4)
			s.text(from+tag[11], group(6))
			s.trim = group(7)
		case tag[16] < 0 || strings.TrimSpace(group(10)) == "raw":
			fail(start, `%s is not closed, or a string in it is not closed or has an escape other than \n, \t, \', \" and \\`, group(0))
		default:
			s.tag(start, from+tag[20], "{"+group(8), group(10), group(12))
			s.trim = map[string]string{"}}": "+"}[group(12)] + group(11)
		}
		s.at = end
	}
}

// text adds the text up to an offset, trimmed by the tags around it.
func (s *scanner) text(end int, next string) {
	text := s.template[s.at:end]
	if strings.HasSuffix(s.trim, "-") {
		text = strings.TrimLeft(text, space)
	} else if s.trim == "" {
		text = strings.TrimPrefix(text, "\n")
	}
	start := end - len(text)
	if next == "-" {
		text = strings.TrimRight(text, space)
	}
	if text != "" {
		s.add(textToken, text, start)
	}
}

// tag adds a tag, whose words begin at an offset.
func (s *scanner) tag(start, at int, opening, words, closing string) {
	s.add(signToken, opening, start)
	end := at + len(words)
	for words = strings.TrimLeft(words, space); words != ""; words = strings.TrimLeft(words, space) {
		groups, at := wordPattern().FindStringSubmatch(words), end-len(words)
		if groups == nil {
			fail(at, "cannot read this character")
		}
		kind, text := nameToken, groups[0]
		for groups[kind-nameToken+1] == "" {
			kind++
		}
		words = words[len(text):]
		if kind == stringToken {
			text = strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`, `\n`, "\n", `\t`, "\t").Replace(text[1 : len(text)-1])
		}
		s.add(kind, text, at)
	}
	s.add(signToken, closing, end)
}

func (s *scanner) add(kind kind, text string, at int) {
	if len(s.tokens) > maxTokens {
		fail(at, "the template has more than %d words in its tags", maxTokens)
	}
	last := s.tokens[len(s.tokens)-1]
	line := last.line + strings.Count(s.template[last.at:at], "\n")
	s.tokens = append(s.tokens, token{kind, text, at, line})
}
