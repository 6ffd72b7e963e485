// Package docs compares the documents with the code: README, HACKING, the manual
// pages and docs/ must describe what the programs do.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository.
const root = "../.."

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages lists the Markdown files that people read.
func pages(t *testing.T) []string {
	t.Helper()
	names := []string{"README.md", "HACKING.md", "CHANGELOG.md"}
	files, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages in docs: %v", err)
	}
	for _, page := range files {
		names = append(names, "docs/"+filepath.Base(page))
	}
	return names
}

// block is a fenced block of code.
type block struct {
	language, text string
	// line is the number of its first line.
	line int
	// marks are the comments directly above it: "wrong" for <!-- wrong -->.
	marks []string
	// after is the text below it, up to the next section.
	after string
}

var (
	fence   = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	mark    = regexp.MustCompile(`<!-- ([a-z]+) -->\n$`)
	heading = regexp.MustCompile(`(?m)^#+ `)
)

// blocks returns the fenced blocks of a page.
func blocks(text string) []block {
	var all []block
	for _, at := range fence.FindAllStringSubmatchIndex(text, -1) {
		b := block{language: text[at[2]:at[3]], text: text[at[4]:at[5]], line: strings.Count(text[:at[4]], "\n") + 1}
		if m := mark.FindStringSubmatch(text[:at[0]]); m != nil {
			b.marks = append(b.marks, m[1])
		}
		b.after = text[at[1]:]
		if next := heading.FindStringIndex(b.after); next != nil {
			b.after = b.after[:next[0]]
		}
		all = append(all, b)
	}
	return all
}

// table returns the cells of the table below the comment <!-- name -->, without
// the heads.
func table(t *testing.T, page, name string) [][]string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, page), "<!-- "+name+" -->\n")
	if !found {
		t.Fatalf("%s has no table %q", page, name)
	}
	var rows [][]string
	for line := range strings.Lines(rest) {
		line, isRow := strings.CutPrefix(strings.TrimSpace(line), "| ")
		if !isRow {
			break
		}
		rows = append(rows, strings.Split(strings.TrimSuffix(line, " |"), " | "))
	}
	if len(rows) < 3 {
		t.Fatalf("table %q of %s has %d lines", name, page, len(rows))
	}
	return rows[2:]
}

var span = regexp.MustCompile("`([^`\n]+)`")

// spans returns the texts between backquotes.
func spans(text string) []string {
	var texts []string
	for _, m := range span.FindAllStringSubmatch(text, -1) {
		texts = append(texts, m[1])
	}
	return texts
}
