package compose

import (
	"errors"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// errVariable is the error for a variable without a default.
var errVariable = errors.New("a host has no values for variables: write $$ for a literal $, or ${NAME:-default}")

// interpolate replaces variables in the values of a resolved tree, in place, by
// Compose's rules. On a host no variable has a value, so every variable needs a
// default. The problem does not name the variable, because it may be a part of a
// password.
func (r *report) interpolate(at spot) {
	switch {
	case at.IsScalar() && at.Node.Tag == "!!str" && strings.Contains(at.Node.Value, "$"):
		value, err := substitute(at.Node.Value)
		if err != nil {
			r.Errorf(at, "%v", err)
			return
		}
		at.Node.Value = value
	case at.IsMapping():
		for _, value := range at.Fields() {
			r.interpolate(value)
		}
	case at.IsList():
		for _, item := range at.Items() {
			r.interpolate(item)
		}
	}
}

var (
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)
	// modifier may follow the name of a variable in braces.
	modifier = regexp.MustCompile(`^(:?[-+?])`)
)

// substitute replaces the variables in a value: "$$" becomes "$",
// "${NAME:-default}" and "${NAME-default}" become the default, "${NAME:+other}"
// and "${NAME+other}" become empty. Any other "$" stays
// (https://docs.docker.com/reference/compose-file/interpolation/).
func substitute(value string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(value, "$")
		out.WriteString(before)
		switch {
		case !found:
			return out.String(), nil
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			value = rest[1:]
		case variable.MatchString(rest):
			return "", errVariable
		case strings.HasPrefix(rest, "{"):
			end := closing(rest)
			if end < 0 {
				return "", errVariable
			}
			filled, err := braced(rest[1:end])
			if err != nil {
				return "", err
			}
			out.WriteString(filled)
			value = rest[end+1:]
		default:
			out.WriteByte('$')
			value = rest
		}
	}
}

// closing returns the index of the brace that closes the one at the start of s,
// or -1.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch {
		case i == 0, s[i] == '{' && s[i-1] == '$':
			depth++
		case s[i] == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// braced returns the value of "${expression}".
func braced(expression string) (string, error) {
	name := variable.FindString(expression)
	operator := modifier.FindString(expression[len(name):])
	if name == "" || operator == "" {
		return "", errVariable
	}
	switch operator[len(operator)-1] {
	case '-':
		return substitute(expression[len(name)+len(operator):])
	case '+':
		return "", nil
	default:
		return "", errVariable
	}
}

// isText reports whether a scalar is a string, rather than a number or a
// boolean.
func isText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!str" }
