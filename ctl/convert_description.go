package ctl

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec/gce"
)

// described is the container declaration in the description of an instance or an
// instance template.
type described struct {
	// file is the declaration's name in messages.
	file     string
	top      *yaml.Node
	warnings []string
}

// describedDeclaration returns the declaration in what gcloud compute instances
// describe or instance-templates describe prints. isDescription is false for
// another document.
func describedDeclaration(file string, top *yaml.Node) (d described, isDescription bool, err error) {
	at := document.Spot{Node: top}
	if at.IsList() && len(top.Content) > 0 { // gcloud compute instances list
		at.Node = top.Content[0]
	}
	metadata := at.Field("metadata").Field("items")
	if !metadata.IsList() {
		metadata = at.Field("properties").Field("metadata").Field("items")
	}
	switch {
	case !metadata.IsList():
		return d, false, nil
	case top.Kind == yaml.SequenceNode && len(top.Content) > 1:
		return d, true, fmt.Errorf("%s: a list of %d descriptions: convert one at a time (gcloud compute instances describe NAME)", file, len(top.Content))
	}
	d.file = file + "#" + gce.Attribute
	for _, item := range metadata.Items() {
		switch item.Field("key").Text() {
		case gce.Attribute:
			if d.top, err = document.Parse(d.file, []byte(item.Field("value").Text())); err != nil {
				return d, true, err
			}
		case "user-data":
			d.warnings = append(d.warnings, file+": the metadata has user-data, too, which the output does not contain (join both into one cloud-config)")
		}
	}
	if d.top == nil {
		return d, true, fmt.Errorf("%s: the metadata in this description has no %s", file, gce.Attribute)
	}
	return d, true, nil
}
