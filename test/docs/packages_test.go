package docs

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of packages in HACKING.md, and keep what each package owns")

const (
	packagePage = "HACKING.md"
	modulePath  = "github.com/dockhost/dockhost"
)

// listed is a package as `go list -json` prints it.
type listed struct {
	ImportPath, Doc string
	Imports         []string
	GoFiles         []string
}

// name returns the path of the package within the module; the root of the
// module is called dockhost.
func (p listed) name() string {
	if p.ImportPath == modulePath {
		return "dockhost"
	}
	return strings.TrimPrefix(p.ImportPath, modulePath+"/")
}

// ours returns the packages of the module that the package imports.
func (p listed) ours() []string {
	var names []string
	for _, path := range p.Imports {
		if name, ours := strings.CutPrefix(path, modulePath+"/"); ours {
			names = append(names, "`"+name+"`")
		}
	}
	return names
}

// synopsis returns what the package comment says that the package is for.
func (p listed) synopsis() string {
	doc := strings.TrimSuffix(p.Doc, ".")
	for _, kind := range []string{"Package ", "Command "} {
		if rest, found := strings.CutPrefix(doc, kind); found {
			_, doc, _ = strings.Cut(rest, " ")
		}
	}
	return strings.ReplaceAll(doc, "|", `\|`)
}

// row returns the row of the package in the table.
func (p listed) row(owns string) string {
	if owns == "" {
		owns = p.synopsis()
	}
	imports := strings.Join(p.ours(), ", ")
	if imports == "" {
		imports = "nothing"
	}
	return fmt.Sprintf("| `%s` | %s | %s |", p.name(), owns, imports)
}

// listPackages returns the packages of the module that have code besides tests.
func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Imports,GoFiles", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for decoder.More() {
		var p listed
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			packages = append(packages, p)
		}
	}
	slices.SortFunc(packages, func(a, b listed) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return packages
}

// TestPackageTable compares the tables of packages and of libraries in
// HACKING.md with `go list`: one row for each package, with the packages that
// it imports, and for each library the packages that import it. -update writes
// both tables, and keeps what each package owns.
func TestPackageTable(t *testing.T) {
	packages := listPackages(t)
	t.Run("packages", func(t *testing.T) {
		owners := map[string]string{}
		for _, row := range table(t, packagePage, "packages") {
			owners[strings.Trim(row[0], "`")] = row[1]
		}
		var want []string
		for _, p := range packages {
			want = append(want, p.row(owners[p.name()]))
		}
		compareTable(t, "packages", want)
	})
	t.Run("libraries", func(t *testing.T) {
		var want []string
		for _, row := range table(t, packagePage, "libraries") {
			want = append(want, fmt.Sprintf("| %s | %s |", row[0], usersOf(packages, spans(row[0]))))
		}
		compareTable(t, "libraries", want)
	})
}

// compareTable reports each row that the table misses, and each that it has
// too much. With -update it writes the rows first.
func compareTable(t *testing.T, name string, want []string) {
	t.Helper()
	if *update {
		writeTable(t, name, want)
	}
	var got []string
	for _, row := range table(t, packagePage, name) {
		got = append(got, "| "+strings.Join(row, " | ")+" |")
	}
	for _, row := range want {
		if !slices.Contains(got, row) {
			t.Errorf("HACKING.md lacks this row (write it by: go test ./test/docs -run TestPackageTable -update):\n%s", row)
		}
	}
	for _, row := range got {
		if !slices.Contains(want, row) {
			t.Errorf("HACKING.md has a row that go list does not confirm:\n%s", row)
		}
	}
	if !t.Failed() && !slices.Equal(got, want) {
		t.Errorf("the rows of table %q in HACKING.md are not sorted", name)
	}
}

// writeTable replaces the rows of a table, and keeps its heads.
func writeTable(t *testing.T, name string, rows []string) {
	t.Helper()
	before, rest, found := strings.Cut(read(t, packagePage), "<!-- "+name+" -->\n")
	old, after, ends := strings.Cut(rest, "\n\n")
	lines := strings.SplitN(old, "\n", 3)
	if !found || !ends || len(lines) < 3 {
		t.Fatalf("%s has no table %q", packagePage, name)
	}
	lines = append(lines[:2], rows...)
	text := before + "<!-- " + name + " -->\n" + strings.Join(lines, "\n") + "\n\n" + after
	if err := os.WriteFile(filepath.Join(root, packagePage), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// usersOf lists the packages that import one of these libraries, or a package
// below one.
func usersOf(packages []listed, libraries []string) string {
	var users []string
	for _, p := range packages {
		if slices.ContainsFunc(p.Imports, func(path string) bool {
			return slices.ContainsFunc(libraries, func(library string) bool {
				return path == library || strings.HasPrefix(path, library+"/")
			})
		}) {
			users = append(users, "`"+p.name()+"`")
		}
	}
	return strings.Join(users, ", ")
}
