package document

import (
	"strings"
	"testing"
)

func TestPosition(t *testing.T) {
	source := File("one")
	source.Add("two", 11)
	source.Add("three", 20)
	tests := []struct {
		line int
		file string
		want int
	}{{1, "one", 1}, {10, "one", 10}, {11, "two", 1}, {19, "two", 9}, {20, "three", 1}, {400, "three", 381}}
	for _, tt := range tests {
		if file, line := source.Position(tt.line); file != tt.file || line != tt.want {
			t.Errorf("Position(%d) = %s:%d, want %s:%d", tt.line, file, line, tt.file, tt.want)
		}
	}
}

// The lines of several texts lead back to where each stands.
func TestSourceParse(t *testing.T) {
	source := &Source{}
	tests := []struct {
		origin Origin
		text   string
		file   string
		line   int
		column int
	}{
		{Origin{File: "one"}, "a: 1\nb: 2\n", "one", 2, 1},
		{Origin{File: "two", Line: 10, Column: 5}, "a: 1\nb: 2\n", "two", 11, 5},
		{Origin{File: "three", Line: 2, Lines: []int{1, 7, 8}}, "a: 1\nb: 2\n", "three", 8, 1},
	}
	for _, tt := range tests {
		top, err := source.Parse(&tt.origin, []byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		key := top.Content[2]
		if file, line := source.Position(key.Line); file != tt.file || line != tt.line || key.Column != tt.column {
			t.Errorf("b of %s is at %s:%d:%d, want %s:%d:%d", tt.origin.File, file, line, key.Column, tt.file, tt.line, tt.column)
		}
	}
	_, err := source.Parse(&Origin{File: "four", Line: 3, Column: 3}, []byte("a: 1\nb: [\n"))
	const want = "four:5:3: not YAML: did not find expected node content for what opens at line 5, column 3"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Parse() error = %v, want %s", err, want)
	}
}
