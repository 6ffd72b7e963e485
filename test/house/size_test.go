// Package house checks rules that hold for the whole repository.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	root         = "../.."
	maxFile      = 400
	maxFunction  = 60
	maxTracked   = 1 << 20 // bytes
	fileCure     = "split it by noun"
	functionCure = "name its steps as functions"
)

// TestGoFilesAreSmall checks that no Go file is longer than 400 lines, and no
// function longer than 60 lines outside its tables. Each file is a subtest, so
// that -run 'TestGoFilesAreSmall/supervisor/' checks one directory.
func TestGoFilesAreSmall(t *testing.T) {
	for _, name := range goFiles(t) {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), "\n"); n > maxFile {
				t.Errorf("%s has %d lines, want at most %d (%s)", name, n, maxFile, fileCure)
			}
			for _, f := range longFunctions(t, name, string(text)) {
				t.Errorf("%s:%d: %s has %d lines outside tables, want at most %d (%s)", name, f.line, f.name, f.lines, maxFunction, functionCure)
			}
		})
	}
}

// TestTrackedFilesAreSmall checks that no program is tracked by mistake.
func TestTrackedFilesAreSmall(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		t.Skipf("not a git work tree: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(root, name)); err == nil && info.Size() > maxTracked {
			t.Errorf("%s has %d bytes, want at most %d (remove it: git rm --cached %s)", name, info.Size(), maxTracked, name)
		}
	}
}

// TestLongFunctionsAreFound checks that TestGoFilesAreSmall would notice a long
// function, and that it does not count the rows of a table.
func TestLongFunctionsAreFound(t *testing.T) {
	body, rows := strings.Repeat("\tg()\n", maxFunction), strings.Repeat("\t\t1,\n", maxFunction)
	tests := []struct {
		name, code string
		long       int
	}{
		{"statements", "package p\n\nfunc f() {\n" + body + "}\n", 1},
		{"a table", "package p\n\nfunc f() {\n\ttable := []int{\n" + rows + "\t}\n}\n", 0},
		{"a table and statements", "package p\n\nfunc f() {\n\ttable := map[int]int{\n" + rows + "\t}\n" + body + "}\n", 1},
	}
	for _, test := range tests {
		if got := longFunctions(t, "p.go", test.code); len(got) != test.long {
			t.Errorf("%s: longFunctions() = %+v, want %d functions", test.name, got, test.long)
		}
	}
}

// goFiles lists the Go files of the repository, relative to its root.
func goFiles(t *testing.T) []string {
	t.Helper()
	skipped := []string{"build", ".cache", ".git", "testdata"}
	var names []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(skipped, entry.Name()):
			return fs.SkipDir
		case entry.Type().IsRegular() && strings.HasSuffix(name, ".go"):
			names = append(names, name)
		}
		return nil
	})
	if err != nil || len(names) < 100 {
		t.Fatalf("found %d Go files: %v", len(names), err)
	}
	return names
}

// function is a function that is too long.
type function struct {
	name        string
	line, lines int
}

// longFunctions returns the functions of a file that are too long.
func longFunctions(t *testing.T, name, text string) []function {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	height := func(n ast.Node) int { return files.Position(n.End()).Line - files.Position(n.Pos()).Line }
	var long []function
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		lines := height(f) + 1
		ast.Inspect(f, func(n ast.Node) bool {
			table := isTable(n)
			if table {
				lines -= height(n)
			}
			return !table
		})
		if lines > maxFunction {
			long = append(long, function{f.Name.Name, files.Position(f.Pos()).Line, lines})
		}
	}
	return long
}

// isTable reports whether a node is a literal of a slice, an array or a map.
func isTable(n ast.Node) bool {
	literal, ok := n.(*ast.CompositeLit)
	if !ok {
		return false
	}
	switch literal.Type.(type) {
	case *ast.ArrayType, *ast.MapType:
		return true
	}
	return false
}
