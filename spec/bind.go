package spec

import (
	"slices"
	"strings"
)

// Bind is one of the Binds of a HostConfig: SOURCE:TARGET[:OPTIONS], as in `docker run -v`.
type Bind struct {
	// Source is a path of the host if it is absolute, otherwise the name of a volume.
	Source, Target string
	Options        []string
}

// ParseBind takes a bind apart. What is missing stays empty.
func ParseBind(text string) Bind {
	source, rest, _ := strings.Cut(text, ":")
	target, options, hasOptions := strings.Cut(rest, ":")
	b := Bind{Source: source, Target: target}
	if hasOptions {
		b.Options = strings.Split(options, ",")
	}
	return b
}

// ReadOnly reports whether the container may only read what is mounted.
func (b Bind) ReadOnly() bool { return slices.Contains(b.Options, "ro") }
