package ctl

import (
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
		{"something else", "", "a: b", "", "decl: not a known declaration"},
		{"user data", "", "#cloud-config\ndockhost: {}", "", "decl:2:1: nothing to convert: this is user data with a dockhost section"},
		{"empty, named", "gce", "", "", "decl:1:1: no container"},
		{"unknown kind", "ecs", declaration, "", `--from "ecs": unknown kind`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			userData, err := convert(test.from, "decl", []byte(test.text))
			if test.problem == "" && (err != nil || !strings.Contains(string(userData), test.want)) {
				t.Errorf("convert() = %q, %v, want %q", userData, err, test.want)
			}
			if test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem) || len(userData) > 0) {
				t.Errorf("convert() = %q, %v, want %q", userData, err, test.problem)
			}
		})
	}
}
