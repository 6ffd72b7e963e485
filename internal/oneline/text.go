package oneline

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns a text of several lines without what a terminal obeys: control characters,
// and characters that change the direction of text or cannot be seen. Line breaks and tabs
// stay.
func Text(text string) string {
	if !strings.ContainsFunc(text, isHidden) && utf8.ValidString(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if isHidden(r) {
			return ' '
		}
		return r
	}, text)
}

func isHidden(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }

// JSON is a value whose strings are as [Text] returns them once it is encoded.
type JSON struct{ Value any }

// MarshalJSON implements [json.Marshaler].
func (j JSON) MarshalJSON() ([]byte, error) {
	raw, err := json.Marshal(j.Value)
	if err != nil {
		return nil, err
	}
	return cleanJSON(raw), nil
}

// escapedLength is the length of an escape such as \u001b.
const escapedLength = 6

// cleanJSON replaces what [Text] replaces in JSON that [json.Marshal] has made.
func cleanJSON(raw []byte) []byte {
	text := string(raw)
	var out strings.Builder
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			r, size := utf8.DecodeRuneInString(text[i:])
			if isHidden(r) {
				r = ' '
			}
			out.WriteRune(r)
			i += size
			continue
		}
		size, hidden := 2, strings.IndexByte("bfr", text[i+1]) >= 0
		if text[i+1] == 'u' {
			size = escapedLength
			var r string
			hidden = json.Unmarshal([]byte(`"`+text[i:i+size]+`"`), &r) != nil || strings.ContainsFunc(r, isHidden)
		}
		if hidden {
			out.WriteByte(' ')
		} else {
			out.WriteString(text[i : i+size])
		}
		i += size
	}
	return []byte(out.String())
}
