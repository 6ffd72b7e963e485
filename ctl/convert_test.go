package ctl

import (
	"bytes"
	"strings"
	"testing"
)

func TestConvert(t *testing.T) {
	const declaration = "spec:\n  containers:\n  - {name: web, image: nginx}\n"
	tests := []struct{ name, from, text, want, problem string }{
		{"detected", "", declaration, "#cloud-config\n", ""},
		{"named", "gce", declaration, "    web:\n      image: nginx\n", ""},
		{"wrong", "", "spec: {containers: []}", "", "decl:1:8 spec.containers: 0 containers"},
		{"wrong for Compose", "", "spec: {containers: [{name: web, image: A}]}", "", "decl:1:33 spec.containers[0].image: cannot use"},
		{"no YAML", "", "[", "", "decl:"},
		{"something else", "", "a: b", "", "decl: not a declaration that is known"},
		{"user data", "", "#cloud-config\ndockhost: {}", "", "decl:2:1: this is user data with a dockhost section already"},
		{"empty, named", "gce", "", "", "decl:1:1: no container"},
		{"unknown kind", "ecs", declaration, "", `--from "ecs": unknown kind`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := Convert(ConvertOptions{From: test.from, File: "decl", Text: []byte(test.text), Out: &out})
			if test.problem == "" && (err != nil || !strings.Contains(out.String(), test.want)) {
				t.Errorf("Convert() = %v, printed %q, want %q", err, out.String(), test.want)
			}
			if test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem) || out.Len() > 0) {
				t.Errorf("Convert() = %v, printed %q, want %q", err, out.String(), test.problem)
			}
		})
	}
}
