package document

import (
	"errors"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       yaml.Kind
	}{
		{"mapping", "a: 1\n", yaml.MappingNode},
		{"list", "- 1\n- 2\n", yaml.SequenceNode},
		{"scalar", "text\n", yaml.ScalarNode},
		{"document marks", "---\na: 1\n...\n", yaml.MappingNode},
		{"byte order mark", "\ufeffa: 1\n", yaml.MappingNode},
		{"CRLF", "a: 1\r\nb: 2\r\n", yaml.MappingNode},
		{"same key in two mappings", "a: {x: 1}\nb: {x: 1}\n", yaml.MappingNode},
		{"anchor and alias", "a: &x {y: 1}\nb: *x\n", yaml.MappingNode},
		{"empty", "", 0},
		{"comment only", "# nothing\n", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top, err := Parse("file", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if top == nil && tt.want != 0 || top != nil && top.Kind != tt.want {
				t.Errorf("Parse(%q) = %+v, want kind %d", tt.text, top, tt.want)
			}
		})
	}
}

// A problem has the position of what is wrong, and never the user's values.
func TestParseProblems(t *testing.T) {
	const secret = "hunter2"
	tests := []struct{ name, text, want string }{
		{"list not closed", "a: 1\nb: [" + secret + "\n", "file:3:1: not YAML: did not find expected"},
		{"text not closed", "a: \"" + secret + "\n", "file:2:1: not YAML: found unexpected end of stream for what opens at line 1, column 4"},
		{"wrong indentation", "a: 1\n  b: " + secret + "\n", "file:2:4: not YAML: mapping values are not allowed"},
		{"tab", "a:\n\tb: " + secret + "\n", "file:2:1: not YAML: found character that cannot start any token"},
		{"position counts characters", "ä: {ö: 1, ü: [}\n", "file:1:15: not YAML:"},
		{"alias without anchor", "a: *" + secret + "\n", "file:1:4: not YAML: this alias has no anchor above it"},
		{"not UTF-8", "a: 1\nb: \xff\n", "file:2:4: not YAML: not UTF-8 text, or a control character"},
		{"control character", "a: \x01\n", "file:1:4: not YAML: not UTF-8 text, or a control character"},
		{"key twice", "a: 1\nb: {x: 1, x: " + secret + "}\n", "file:2:11: this key stands twice in the same mapping"},
		{"key twice, quoted", "a: 1\n\"a\": 2\n", "file:2:1: this key stands twice"},
		{"second document", "a: 1\n---\nb: 2\n", "file:2:1: a second YAML document begins here"},
		{"nested too deeply", strings.Repeat("[", 200) + strings.Repeat("]", 200), "file:1:102: nested too deeply"},
		{"alias of itself", "a: &a [*a]\n", "nested too deeply"},
		{"too large", bomb(), "too large once its aliases are followed: write it out with fewer aliases"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top, err := Parse("file", []byte(tt.text))
			var problem *Problem
			if !errors.As(err, &problem) || top != nil {
				t.Fatalf("Parse(%q) = %+v, %v, want a *Problem", tt.text, top, err)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("Parse(%q) error = %v, want %s", tt.text, err, tt.want)
			}
		})
	}
}

// bomb is a few lines that stand for billions of nodes.
func bomb() string {
	text := "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
	for _, level := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"} {
		before := "*a" + string(level[0]-1)
		text += "a" + level + ": &a" + level + " [" + strings.Repeat(before+", ", 9) + before + "]\n"
	}
	return text
}

func TestLookUp(t *testing.T) {
	top, err := Parse("file", []byte("a: &x {y: 1}\nb: *x\nc: ~\n[d, e]: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if key, value := LookUp(top, "b"); key == nil || key.Line != 2 || value.Kind != yaml.MappingNode {
		t.Errorf("LookUp(b) = %+v, %+v, want the mapping that the alias names", key, value)
	}
	if _, value := LookUp(top, "c"); !IsNull(value) {
		t.Errorf("LookUp(c) = %+v, want null", value)
	}
	if key, value := LookUp(top, "d"); key != nil || value != nil {
		t.Errorf("LookUp(d) = %+v, %+v, want nothing", key, value)
	}
}

// FuzzParse reads any text as YAML, resolves it, and checks its positions.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "a: 1\n", "- a\n- [b, {c: d}]\n", "a: &x {y: 1}\nb: {<<: *x, z: 2}\n", "a: &a [*a]\n", bomb(), "a: !!binary x\n",
		"? [a, b]\n: c\n", "<<: [{a: 1}, {b: 2}]\n", "a: \"\\x00\"\n", "a: 2001-01-01\n", "---\n---\n", "ä: [\n", "a: |\n  b\n",
		"a: {x-b: 1, c: 2}\n", "x-a: 1\n<<: 1\n", "a: ~\nb:\n", "\xff", "a: *b\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		top, err := Parse("file", text)
		if err == nil && top != nil {
			report := NewReport(File("file"), nil)
			if node := report.Resolve(Spot{Node: top}); node != nil {
				report.Check(Spot{Node: node}, MapOf(Only("a", "b")))
			}
			err = report.Err()
		}
		var problems Problems
		var problem *Problem
		switch {
		case err == nil:
			return
		case errors.As(err, &problems):
		case errors.As(err, &problem):
			problems = Problems{problem}
		default:
			t.Fatalf("Parse(%q) error = %T, want problems", text, err)
		}
		for _, p := range problems {
			if p.File != "file" || p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("Parse(%q) error = %+v, want a position", text, p)
			}
		}
	})
}
