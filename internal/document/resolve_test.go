package document

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// resolve parses and resolves a text.
func resolve(t *testing.T, text string) (Spot, *Report) {
	t.Helper()
	top, err := Parse("file", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	report := NewReport(File("file"), nil)
	node := report.Resolve(Spot{Node: top})
	return Spot{Node: node}, report
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name, text string
		want       any
	}{
		{"alias", "a: &x {y: 1}\nb: *x\n", map[string]any{"a": map[string]any{"y": 1}, "b": map[string]any{"y": 1}}},
		{"alias of a scalar", "a: &x 5\nb: [*x, *x]\n", map[string]any{"a": 5, "b": []any{5, 5}}},
		{"merge key", "a: &x {y: 1, z: 1}\nb: {<<: *x, z: 2}\n", map[string]any{"a": map[string]any{"y": 1, "z": 1}, "b": map[string]any{"y": 1, "z": 2}}},
		{"merge key last", "b: {z: 2, <<: {z: 1, y: 1}}\n", map[string]any{"b": map[string]any{"y": 1, "z": 2}}},
		{"merge list: the first counts", "<<: [{a: 1}, {a: 2, b: 2}]\n", map[string]any{"a": 1, "b": 2}},
		{"merge in a merge", "<<: {<<: {a: 1}, b: 2}\n", map[string]any{"a": 1, "b": 2}},
		{"quoted merge key is a key", "\"<<\": 1\n", map[string]any{"<<": 1}},
		{"date is text", "a: 2001-02-03\n", map[string]any{"a": "2001-02-03"}},
		{"types", "a: [1, 1.5, true, ~, '1', !!str 1]\n", map[string]any{"a": []any{1, 1.5, true, nil, "1", "1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spot, report := resolve(t, tt.text)
			if err := report.Err(); err != nil {
				t.Fatal(err)
			}
			var got any
			if err := spot.Node.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Resolve(%q) (-want, +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestResolveProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"key is not a word", "a:\n  [b, c]: 1\n", "file:2:3 a: this key is not a word"},
		{"merge of a scalar", "a:\n  <<: 1\n", `file:2:3 a."<<": only a mapping can be merged`},
		{"merge list with a scalar", "<<: [{a: 1}, 2]\n", "only a mapping can be merged"},
		{"tag", "a: !mine x\n", "file:1:1 a: cannot use this YAML tag"},
		{"binary", "a: !!binary aGVsbG8=\n", "file:1:1 a: cannot use this YAML tag"},
		{"value does not fit its tag", "a: !!int x\n", "file:1:1 a: this value does not fit its tag"},
		{"nested too deeply", strings.Repeat("[", 80) + strings.Repeat("]", 80), "nested too deeply"},
		{"too large", "a: &a [" + strings.Repeat("1,", 20_000) + "]\nb: [*a, *a, *a, *a, *a]\n", "too large once its aliases are followed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, report := resolve(t, tt.text)
			if err := report.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Resolve() error = %v, want %s", err, tt.want)
			}
		})
	}
}

func TestSpot(t *testing.T) {
	top, _ := resolve(t, "web:\n  ports: [80, 443]\n  image: nginx\n  none: ~\n")
	web := top.Field("web")
	if line, column := web.Position(); web.Path != "web" || line != 1 || column != 1 || !web.IsMapping() {
		t.Errorf("web is %s at %d:%d, want a mapping at 1:1", web.Path, line, column)
	}
	var paths []string
	for name, value := range web.Fields() {
		paths = append(paths, name+" "+value.Path)
		for _, item := range value.Items() {
			line, column := item.Position()
			paths = append(paths, item.Path+" "+item.Text()+" "+string(rune('0'+line))+":"+string(rune('0'+column)))
		}
	}
	want := []string{"ports web.ports", "web.ports[0] 80 2:;", "web.ports[1] 443 2:?", "image web.image", "none web.none"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("spots (-want, +got):\n%s", diff)
	}
	if image := web.Field("image"); image.Text() != "nginx" || !image.IsScalar() || image.IsNull() {
		t.Errorf("image = %+v, want the text nginx", image)
	}
	if none := web.Field("none"); none.Text() != "" || !none.IsNull() || !none.Present() {
		t.Errorf("none = %+v, want null", none)
	}
	missing := web.Field("missing")
	if line, _ := missing.Position(); missing.Present() || missing.Path != "web.missing" || line != 1 {
		t.Errorf("missing = %+v at line %d, want its mapping's position", missing, line)
	}
	if rest := web.Without(func(key string) bool { return key != "image" }); len(rest.Node.Content) != 2 || len(web.Node.Content) != 6 {
		t.Errorf("Without() = %d nodes, want image alone and the mapping as it was", len(rest.Node.Content))
	}
}

func TestJoin(t *testing.T) {
	tests := []struct{ path, key, want string }{
		{"", "web", "web"},
		{"containers", "web", "containers.web"},
		{"registries", "localhost:5000", "registries.localhost:5000"},
		{"a", "two words", `a."two words"`},
		{"a", "", `a.""`},
		{"a", "<<", `a."<<"`},
		{"a", strings.Repeat("x", 200), `a."` + strings.Repeat("x", 120) + `..."`},
	}
	for _, tt := range tests {
		if got := Join(tt.path, tt.key); got != tt.want {
			t.Errorf("Join(%q, %q) = %s, want %s", tt.path, tt.key, got, tt.want)
		}
	}
}
