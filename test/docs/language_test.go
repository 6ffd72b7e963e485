package docs

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLanguage checks that no comment, string or page contains a phrase that
// the table "Language" in HACKING.md bans. Each file is a subtest, so that
// -run 'TestLanguage/supervisor/' checks one directory.
func TestLanguage(t *testing.T) {
	banned := bannedPhrases(t)
	for _, name := range prose(t) {
		t.Run(name, func(t *testing.T) {
			for _, p := range passages(name, read(t, name)) {
				for _, phrase := range banned {
					for _, at := range phrase.FindAllStringIndex(p.text, -1) {
						t.Errorf("%s:%d: %q is on the list in HACKING.md (Language)", name, p.line+strings.Count(p.text[:at[0]], "\n"), p.text[at[0]:at[1]])
					}
				}
			}
		})
	}
}

// TestLanguageFindsPhrases checks that TestLanguage notices a banned phrase, also
// one that is broken over two lines.
func TestLanguageFindsPhrases(t *testing.T) {
	banned := bannedPhrases(t)
	const code = "package p\n\n// f is called for want\n// of g.\nfunc f() string { return \"it fares well\" }\n"
	var hits int
	for _, p := range passages("p.go", code) {
		for _, phrase := range banned {
			if phrase.MatchString(p.text) {
				hits++
			}
		}
	}
	if hits != 2 {
		t.Errorf("found %d banned phrases, want 2", hits)
	}
}

// bannedPhrases returns the first column of the table "language" of HACKING.md.
// A space in a phrase matches any white space, including a line break.
func bannedPhrases(t *testing.T) []*regexp.Regexp {
	t.Helper()
	var phrases []*regexp.Regexp
	for _, row := range table(t, "HACKING.md", "language") {
		for _, phrase := range spans(row[0]) {
			phrase = strings.ReplaceAll(phrase, " ", `\s+`)
			phrases = append(phrases, regexp.MustCompile(`(?i)\b`+phrase+`\b`))
		}
	}
	return phrases
}

// prose lists the files whose language is checked, relative to the repository:
// Go, Markdown, manual pages, scripts and units.
func prose(t *testing.T) []string {
	t.Helper()
	skipped := []string{"build", ".cache", ".git", "testdata"}
	var names []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(skipped, entry.Name()):
			return filepath.SkipDir
		case entry.Type().IsRegular() && isProse(path):
			name, err := filepath.Rel(root, path)
			names = append(names, name)
			return err
		}
		return nil
	})
	if err != nil || len(names) < 100 {
		t.Fatalf("found %d files: %v", len(names), err)
	}
	return names
}

func isProse(path string) bool {
	kinds := []string{".go", ".md", ".sh", ".service", ".socket", ".1", ".5", ".7", ".8"}
	return slices.Contains(kinds, filepath.Ext(path)) || filepath.Base(path) == "Makefile"
}

// passage is a piece of prose and the line on which it begins.
type passage struct {
	text string
	line int
}

// end returns the line below the passage.
func (p passage) end() int { return p.line + strings.Count(p.text, "\n") + 1 }

// passages returns the prose of a file: comments and strings of Go, all of
// HACKING.md except the list of phrases itself, and the whole of any other file.
func passages(name, text string) []passage {
	switch {
	case strings.HasSuffix(name, ".go"):
		return goPassages(text)
	case name == "HACKING.md":
		before, list, _ := strings.Cut(text, "<!-- language -->")
		_, after, _ := strings.Cut(list, "\n\n")
		return []passage{{before, 1}, {after, 1 + strings.Count(text[:len(text)-len(after)], "\n")}}
	}
	return []passage{{text, 1}}
}

// goPassages returns the strings of Go code, and its comments. Comments that
// follow each other are one passage, without their slashes.
func goPassages(text string) []passage {
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), nil, scanner.ScanComments)
	var found []passage
	comment := false
	for {
		pos, tok, literal := s.Scan()
		line := file.Line(pos)
		isComment := tok == token.COMMENT
		switch {
		case tok == token.EOF:
			return found
		case isComment && comment && found[len(found)-1].end() == line:
			found[len(found)-1].text += "\n" + strings.TrimPrefix(literal, "//")
		case isComment || tok == token.STRING:
			found, comment = append(found, passage{strings.TrimPrefix(literal, "//"), line}), isComment
		default:
			comment = comment && tok == token.SEMICOLON
		}
	}
}
