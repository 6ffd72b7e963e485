package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

const (
	// maxDepth is how deep YAML may nest.
	maxDepth = 100
	// maxNodes is how many nodes YAML may have once its aliases are followed:
	// a few lines of nested aliases can stand for billions of nodes.
	maxNodes = 200_000
)

// Parse returns the top node of the only document in text, or nil when
// the text is empty. Keys are unique in what it returns. The error is a *Problem.
func Parse(file string, text []byte) (*yaml.Node, error) {
	return ParseAt(&Origin{File: file}, text)
}

// ParseAt is Parse for a text that stands somewhere in a file, which is where
// problems are reported. The nodes have the lines of the text.
func ParseAt(origin *Origin, text []byte) (*yaml.Node, error) {
	top, err := decode(origin, text)
	if err != nil || top == nil {
		return nil, err
	}
	check := checker{origin: origin, sizes: map[*yaml.Node]int{}}
	if _, err := check.node(top, 0); err != nil {
		return nil, err
	}
	return top, nil
}

func decode(origin *Origin, text []byte) (top *yaml.Node, err error) {
	defer func() {
		// The library panics on internal errors, which must not end the program.
		if recover() != nil {
			top, err = nil, origin.problem(1, 1, "not YAML: the parser gave up")
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntaxError(origin, text, err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, origin.problem(second.Line, second.Column, "a second YAML document begins here: keep one, without \"---\" lines")
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(origin, text, err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) == 0 {
		return nil, nil
	}
	return document.Content[0], nil
}

// checker refuses what the parser accepts: duplicate keys, and documents that
// aliases make far larger than they look.
type checker struct {
	origin *Origin
	// sizes holds the size of each node, with its aliases followed.
	sizes map[*yaml.Node]int
}

func (c *checker) node(n *yaml.Node, depth int) (int, error) {
	if size, done := c.sizes[n]; done {
		return size, nil
	}
	if depth > maxDepth {
		return 0, c.origin.problem(n.Line, n.Column, "nested too deeply")
	}
	size := 1
	children := n.Content
	if n.Kind == yaml.AliasNode {
		children = []*yaml.Node{n.Alias}
	}
	for _, child := range children {
		more, err := c.node(child, depth+1)
		if err != nil {
			return 0, err
		}
		if size += more; size > maxNodes {
			return 0, c.origin.problem(n.Line, n.Column, "too large once its aliases are followed: write it out with fewer aliases")
		}
	}
	c.sizes[n] = size
	return size, c.uniqueKeys(n)
}

func (c *checker) uniqueKeys(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			continue
		}
		if seen[key.Value] {
			return c.origin.problem(key.Line, key.Column, "this key stands twice in the same mapping: keep one of them")
		}
		seen[key.Value] = true
	}
	return nil
}

// LookUp returns a key of a mapping and its value, with an alias followed, or
// nil, nil.
func LookUp(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Value != name {
			continue
		}
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		return key, value
	}
	return nil, nil
}

// IsNull reports whether a node is null: "~", or nothing after the key.
func IsNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// ProblemAt returns a problem with what a node is.
func ProblemAt(file string, n *yaml.Node, message string) error {
	return &Problem{File: file, Line: max(n.Line, 1), Column: max(n.Column, 1), Message: message}
}

// quoted finds what an error quotes.
var quoted = regexp.MustCompile("(?s)'.'|'.*'|\".*\"|`.*`")

// unquote takes out what an error of the YAML library quotes, but for the
// single characters of its own sentences.
func unquote(message string) string {
	return quoted.ReplaceAllStringFunc(message, func(found string) string {
		if utf8.RuneCountInString(found) == len("','") {
			return found
		}
		return "..."
	})
}

// syntaxError translates an error of the YAML library. Its error types are
// internal to it, so that their fields are read by reflection.
func syntaxError(origin *Origin, text []byte, err error) error {
	line, column, message := 1, 1, "the parser gave up"
	if value := reflect.Indirect(reflect.ValueOf(err)); value.Kind() == reflect.Struct {
		line, column, message = describe(origin, value, text)
	}
	return origin.problem(line, column, "not YAML: "+unquote(message)+
		" (look at the indentation, the quotes and the brackets here and just above)")
}

// problem returns a problem at a line and column of the text.
func (o *Origin) problem(line, column int, message string) error {
	line, column = o.Position(max(line, 1), max(column, 1))
	return &Problem{File: o.File, Line: line, Column: column, Message: message}
}

func describe(origin *Origin, failure reflect.Value, text []byte) (line, column int, message string) {
	if offset := failure.FieldByName("Offset"); offset.IsValid() {
		line, column = lineColumn(text[:min(max(int(offset.Int()), 0), len(text))])
		return line, column, "not UTF-8 text, or a control character"
	}
	mark := failure.FieldByName("Mark")
	if !mark.IsValid() {
		return 1, 1, "the parser gave up"
	}
	message = failure.FieldByName("Message").String()
	if strings.HasPrefix(message, "unknown anchor") {
		// The one message that quotes what it found, and the one mark
		// without an index.
		line, column = int(mark.FieldByName("Line").Int()), int(mark.FieldByName("Column").Int())
		return max(line, 1), max(column, 1), "this alias has no anchor above it"
	}
	// In v4.0.0-rc.4 the lines of marks count from 0 or from 1, depending on
	// the error; the index of the character is always right.
	line, column = lineColumn(runes(text, int(mark.FieldByName("Index").Int())))
	context := failure.FieldByName("ContextMessage").String()
	if strings.Contains(context, "flow") || strings.Contains(context, "quoted") {
		opening := int(failure.FieldByName("ContextMark").FieldByName("Index").Int())
		openLine, openColumn := origin.Position(lineColumn(runes(text, opening)))
		message += fmt.Sprintf(" for what opens at line %d, column %d", openLine, openColumn)
	}
	return line, column, message
}

// runes returns the first n characters of text.
func runes(text []byte, n int) []byte {
	end := 0
	for ; n > 0 && end < len(text); n-- {
		_, size := utf8.DecodeRune(text[end:])
		end += size
	}
	return text[:end]
}

// lineColumn returns the position of what follows the text, from 1.
func lineColumn(before []byte) (line, column int) {
	last := before[bytes.LastIndexByte(before, '\n')+1:]
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(last)
}
