package document

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// containers is what the documents of these tests may have.
func containers() Keys {
	port := Only("target", "published")
	container := Only("image").With("ports", ListOf(port)).With("labels", MapOf(Keys{}))
	return Only("name").With("containers", MapOf(container))
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"all known", "name: a\ncontainers: {web: {image: x, ports: [{target: 80}], labels: {any: 1}}}\n", nil},
		{"extensions", "x-a: 1\ncontainers: {web: {x-b: 1, image: x, ports: [{x-c: 1}]}}\n", nil},
		{"unknown", "name: a\nother: b\n", []string{`file:2:1 other: unknown key "other"`}},
		{"near miss", "containers:\n  web:\n    imagee: x\n", []string{`file:3:5 containers.web.imagee: unknown key "imagee" (did you mean "image"?)`}},
		{"in a list", "containers:\n  web:\n    ports:\n      - target: 80\n      - targte: 80\n", []string{
			`file:5:9 containers.web.ports[1].targte: unknown key "targte" (did you mean "target"?)`,
		}},
		{"cure", "containers: {web: {build: .}}\n", []string{`file:1:20 containers.web.build: cannot use "build" here: build the image elsewhere`}},
		{"several, by position", "zz: 1\ncontainers: {web: {yy: 1}}\naa: 1\n", []string{
			`file:1:1 zz: unknown key "zz"`, `file:2:20 containers.web.yy: unknown key "yy"`, `file:3:1 aa: unknown key "aa"`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top, err := Parse("file", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			report := NewReport(File("file"), func(path string) string {
				return map[string]string{"containers.web.build": "here: build the image elsewhere"}[path]
			})
			checked := report.Check(Spot{Node: top}, containers())
			var got []string
			if err := report.Err(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Check(%q) (-want, +got):\n%s", tt.text, diff)
			}
			for name := range checked.Fields() {
				if !slices.Contains(containers().Names(), name) {
					t.Errorf("Check(%q) left %s", tt.text, name)
				}
			}
		})
	}
}

func TestKeys(t *testing.T) {
	keys := containers()
	if diff := cmp.Diff([]string{"containers", "name"}, keys.Names()); diff != "" {
		t.Errorf("Names() (-want, +got):\n%s", diff)
	}
	container, ok := keys.Field("containers").Each()
	if !ok || !slices.Contains(container.Names(), "image") {
		t.Errorf("Each() = %v, %v, want a container", container.Names(), ok)
	}
	if _, ok := keys.Field("name").Each(); ok {
		t.Error("Each() of a key with any value is true")
	}
}

func TestNearest(t *testing.T) {
	words := []string{"image", "ports", "environment", "restart", "env", "expose"}
	tests := []struct{ word, want string }{
		{"imag", "image"},
		{"iamge", "image"},
		{"port", "ports"},
		{"environmint", "environment"},
		{"envirnment", "environment"},
		{"evn", ""}, // a short word may differ in one letter
		{"enf", "env"},
		{"restrat", "restart"},
		{"volumes", ""},
		{"", ""},
		{strings.Repeat("image", 100), ""},
	}
	for _, tt := range tests {
		if got := Nearest(tt.word, words); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}

// Problems are sorted by line and column, and each is there once.
func TestReport(t *testing.T) {
	report := NewReport(File("file"), nil)
	if err := report.Err(); err != nil {
		t.Errorf("Err() of an empty report = %v", err)
	}
	top, err := Parse("file", []byte("a: 1\nb: {c: 1, d: 2}\n"))
	if err != nil {
		t.Fatal(err)
	}
	b := Spot{Node: top}.Field("b")
	for _, name := range []string{"d", "c", "d"} {
		report.Errorf(b.Field(name), "wrong: %d", 1)
	}
	report.Errorf(Spot{Node: top}.Field("a"), "first")
	want := "file:1:1 a: first\nfile:2:5 b.c: wrong: 1\nfile:2:11 b.d: wrong: 1"
	if err := report.Err(); err == nil || err.Error() != want || report.Len() != 4 {
		t.Errorf("Err() = %v, want %s", err, want)
	}
}
