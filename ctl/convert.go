package ctl

import (
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec/gce"
)

// ConvertOptions say what to convert.
type ConvertOptions struct {
	// From is the kind of declaration: "gce", or "" for the one that it looks
	// like.
	From string
	// File names Text in messages.
	File string
	Text []byte
	Out  io.Writer
}

// Convert writes the user data that means the same as a declaration of another
// program. It asks nobody.
func Convert(o ConvertOptions) error {
	top, err := document.Parse(o.File, o.Text)
	if err != nil {
		return err
	}
	switch {
	case o.From != "" && o.From != "gce":
		return fmt.Errorf("--from %q: unknown kind of declaration (use gce, or leave it out)", o.From)
	case o.From == "" && !gce.Is(top):
		return notDeclaration(o.File, top)
	}
	source := document.File(o.File)
	// Parse says what is wrong in the section, too.
	if _, _, err := gce.Parse(source, top); err != nil {
		return err
	}
	made, err := gce.Convert(source, top)
	if err != nil {
		return err
	}
	text, err := made.CloudConfig()
	if err != nil {
		return err
	}
	_, err = o.Out.Write(text)
	return err
}

func notDeclaration(file string, top *yaml.Node) error {
	if top != nil && top.Kind == yaml.MappingNode {
		if key, _ := document.LookUp(top, "dockhost"); key != nil {
			return document.ProblemAt(file, key, "this is user data with a dockhost section already: there is nothing to convert")
		}
	}
	return errors.New(file + ": not a declaration that is known: one of Google's has spec: with containers: below it (use --from gce to see what is wrong with it)")
}
