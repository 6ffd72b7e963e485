package document

import (
	"strings"
	"testing"
)

// A report of very many problems stays small.
func TestManyProblems(t *testing.T) {
	top, err := Parse("file", []byte(strings.Repeat("- a\n", 3*maxProblems)))
	if err != nil {
		t.Fatal(err)
	}
	report := NewReport(File("file"), nil)
	for _, item := range (Spot{Node: top}).Items() {
		report.Errorf(item, "wrong")
	}
	lines := strings.Split(report.Err().Error(), "\n")
	if len(lines) != maxProblems+1 || report.Len() != 3*maxProblems {
		t.Fatalf("Err() has %d lines of %d problems, want %d", len(lines), report.Len(), maxProblems+1)
	}
	if got, want := lines[maxProblems], "file:1000:3: there are 2000 more problems, which are not listed"; got != want {
		t.Errorf("last line = %q, want %q", got, want)
	}
}
