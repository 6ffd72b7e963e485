package ctl

import (
	"strings"
	"testing"
)

func TestConvert(t *testing.T) {
	const declaration = "spec:\n  containers:\n  - {name: web, image: nginx}\n"
	const instance = `{"kind": "compute#instance", "metadata": {"items": [{"key": "user-data", "value": "x"},
		{"key": "gce-container-declaration", "value": "spec:\n  containers:\n  - name: web\n    image: nginx\n    restartPolicy: Never\n"}]}}`
	tests := []struct{ name, from, text, want, problem, warning string }{
		{"detected", "", declaration, "#cloud-config\n", "", ""},
		{"named", "gce", declaration, "    web:\n      image: nginx\n", "", ""},
		{"wrong", "", "spec: {containers: []}", "", "decl:1:8 spec.containers: 0 containers", ""},
		{"wrong for Compose", "", "spec: {containers: [{name: web, image: A}]}", "", "decl:1:33 spec.containers[0].image: cannot use", ""},
		{"no YAML", "", "[", "", "decl:", ""},
		{"something else", "", "a: b", "", "decl: not a known declaration", ""},
		{"user data", "", "#cloud-config\ndockhost: {}", "", "decl:2:1: nothing to convert: this is user data with a dockhost section", ""},
		{"empty, named", "gce", "", "", "decl:1:1: no container", ""},
		{"unknown kind", "ecs", declaration, "", `--from "ecs": unknown kind`, ""},
		{"an instance", "", instance, "    web:\n      image: nginx\n", "", "decl#gce-container-declaration:5 spec.containers[0].restartPolicy: restartPolicy belongs below spec"},
		{"an instance with user data", "gce", instance, "#cloud-config\n", "", "decl: the metadata has user-data, too"},
		{"a list of one", "", "[" + instance + "]", "#cloud-config\n", "", ""},
		{"a list of two", "", "[" + instance + ", " + instance + "]", "", "decl: a list of 2 descriptions", ""},
		{"a template", "", `{"kind": "compute#instanceTemplate", "properties": ` + instance + "}", "    web:\n", "", ""},
		{"an instance without a declaration", "", "metadata: {items: [{key: foo, value: bar}]}", "", "decl: the metadata in this description has no gce-container-declaration", ""},
		{"a wrong declaration in an instance", "", "metadata: {items: [{key: gce-container-declaration, value: 'spec: {containers: []}'}]}", "", "decl#gce-container-declaration:1:8 spec.containers: 0", ""},
		{"a Compose project", "", "services: {web: {image: nginx}}", "dockhost:\n  containers:\n    web:\n      image: nginx\n", "", ""},
		{"a wrong Compose project", "", "services: {web: {image: A}}", "", "decl:1:18 services.web.image: cannot use", ""},
		{"a variable", "compose", "services: {web: {image: 'nginx:$TAG'}}", "", "decl:1:18 services.web.image: a variable without a value", ""},
		{"no Compose project", "compose", "a: b", "", "decl:1:1: not a Compose file", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := convert(test.from, "decl", []byte(test.text))
			userData := string(got.userData)
			if test.problem == "" && (err != nil || !strings.Contains(userData, test.want)) {
				t.Errorf("convert() = %q, %v, want %q", userData, err, test.want)
			}
			if test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem) || len(userData) > 0) {
				t.Errorf("convert() = %q, %v, want %q", userData, err, test.problem)
			}
			if warnings := strings.Join(got.warnings, "\n"); !strings.Contains(warnings, test.warning) {
				t.Errorf("convert() warns %q, want %q", warnings, test.warning)
			}
		})
	}
}
