// Package cure marks errors with what may cure them: a file that appears, another login,
// a network that works, a port that becomes free. The agent tries again when such a
// thing changes, instead of after the usual wait.
package cure

import (
	"cmp"
	"slices"
)

// Kind says what changes.
type Kind string

const (
	// File is a file that is created or changed. Its name is the path.
	File Kind = "file"
	// Network is an address, a route or the resolver of the host.
	Network Kind = "network"
	// Port is a port of the host that becomes free. Its name is engine.Port's text:
	// "443/tcp" or "127.0.0.1:80/tcp".
	Port Kind = "port"
	// Disk is room on the file system of Docker's root.
	Disk Kind = "disk"
	// Docker is something that Docker's events report. Its name is the type of the
	// events: "container", "daemon", "image", "network" or "volume".
	Docker Kind = "docker"
)

// Cure is one thing that may cure an error.
type Cure struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name,omitempty"`
}

// marked is an error with what may cure it.
type marked struct {
	error
	cures []Cure
}

func (m *marked) Unwrap() error { return m.error }

// By marks an error with what may cure it. It returns nil for nil.
func By(err error, cures ...Cure) error {
	if err == nil {
		return nil
	}
	return &marked{err, cures}
}

// ByFile marks an error that another content of a file may cure. It returns nil for
// nil.
func ByFile(err error, path string) error { return By(err, Cure{File, path}) }

// Of returns what may cure an error and the errors that it wraps, sorted and without
// duplicates.
func Of(err error) []Cure {
	cures := collect(err, nil)
	slices.SortFunc(cures, func(a, b Cure) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return slices.Compact(cures)
}

func collect(err error, cures []Cure) []Cure {
	if m, isMarked := err.(*marked); isMarked { //nolint:errorlint // each error of the tree is visited
		cures = append(cures, m.cures...)
	}
	switch wraps := err.(type) { //nolint:errorlint // as above
	case interface{ Unwrap() error }:
		return collect(wraps.Unwrap(), cures)
	case interface{ Unwrap() []error }:
		for _, one := range wraps.Unwrap() {
			cures = collect(one, cures)
		}
	}
	return cures
}
