package compose

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// errVariable is the error for a variable without a value in user data.
var errVariable = errors.New("a host has no values for variables: write $$ for a literal $, or ${NAME:-default}")

// errNotInFile is the error for a variable without a value in a Compose file.
var errNotInFile = errors.New("the file .env beside the Compose file has no value for this variable: add it there, write $$ for a literal $, or ${NAME:-default}")

// variables are those of the file .env. They are nil in user data, where no variable
// has a value.
type variables map[string]string

func (v variables) missing() error {
	if v == nil {
		return errVariable
	}
	return errNotInFile
}

// interpolate replaces variables in the values of a resolved tree, in place, by
// Compose's rules. A variable without a value needs a default. The problem does not
// name the variable, because it may be a part of a password.
func (r *report) interpolate(at spot, vars variables) {
	switch {
	case at.IsScalar() && at.Node.Tag == "!!str" && strings.Contains(at.Node.Value, "$"):
		value, err := vars.substitute(at.Node.Value)
		if err != nil {
			r.Errorf(at, "%v", err)
			r.unfilled[at.Node] = true
			return
		}
		at.Node.Value = value
	case at.IsMapping():
		for _, value := range at.Fields() {
			r.interpolate(value, vars)
		}
	case at.IsList():
		for _, item := range at.Items() {
			r.interpolate(item, vars)
		}
	}
}

var (
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)
	// modifier may follow the name of a variable in braces.
	modifier = regexp.MustCompile(`^(:?[-+?])`)
)

// substitute replaces the variables in a value: "$$" becomes "$". Any other "$" that
// begins no variable stays
// (https://docs.docker.com/reference/compose-file/interpolation/).
func (v variables) substitute(value string) (string, error) {
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
			name := variable.FindString(rest)
			filled, set := v[name]
			if !set {
				return "", v.missing()
			}
			out.WriteString(filled)
			value = rest[len(name):]
		case strings.HasPrefix(rest, "{"):
			end, tooDeep := closing(rest)
			if tooDeep {
				return "", errNested
			}
			if end < 0 {
				return "", v.missing()
			}
			filled, err := v.braced(rest[1:end])
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

// maxNested is how many variables can stand in each other's defaults.
const maxNested = 16

// errNested is the error for more than that.
var errNested = fmt.Errorf("too many variables in each other's defaults: up to %d can be", maxNested)

// closing returns the index of the brace that closes the one at the start of s, or -1. It
// also returns -1 for more than maxNested variables in each other, and tooDeep.
func closing(s string) (end int, tooDeep bool) {
	depth := 0
	for i := range len(s) {
		switch {
		case i == 0, s[i] == '{' && s[i-1] == '$':
			if depth++; depth > maxNested {
				return -1, true
			}
		case s[i] == '}':
			if depth--; depth == 0 {
				return i, false
			}
		}
	}
	return -1, false
}

// braced returns the value of "${expression}".
func (v variables) braced(expression string) (string, error) {
	name := variable.FindString(expression)
	operator := modifier.FindString(expression[len(name):])
	value, set := v[name]
	if strings.HasPrefix(operator, ":") {
		set = set && value != ""
	}
	rest := expression[len(name)+len(operator):]
	switch {
	case name == "":
		return "", v.missing()
	case operator == "" && rest == "" && set:
		return value, nil
	case operator == "":
		return "", v.missing()
	}
	switch operator[len(operator)-1] {
	case '-':
		if set {
			return value, nil
		}
		return v.substitute(rest)
	case '+':
		if set {
			return v.substitute(rest)
		}
		return "", nil
	}
	if set {
		return value, nil
	}
	if v != nil && rest != "" {
		return "", fmt.Errorf("the file .env beside the Compose file must set this variable: %s", document.Shorten(rest))
	}
	return "", v.missing()
}

// isText reports whether a scalar is a string, rather than a number or a
// boolean.
func isText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!str" }
