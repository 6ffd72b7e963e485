package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const allowedModules = "modules.txt"

// programs are what the packages contain. Each is built from a directory of a module.
var programs = []program{
	{"dockhost", ".", "."},
	{"agent", ".", "./agent/dockhost-agent"},
	{"supervise", ".", "./supervisor/dockhost-supervise"},
	{"runtime", ".", "./supervisor/dockhost-runtime"},
	{"nvidia", "nvidia/generator", "."},
}

// program has the name of a program in modules.txt.
type program struct{ name, module, dir string }

// allowance is a line of modules.txt.
type allowance struct {
	path     string
	programs []string
}

// covers says whether a line allows a package of a module.
func (a allowance) covers(p linked) bool {
	isDirectory := strings.HasPrefix(a.path, p.module+"/")
	return a.path == p.module || isDirectory && (p.path == a.path || strings.HasPrefix(p.path, a.path+"/"))
}

// TestModulesOfPrograms checks that each program links the modules that modules.txt
// allows it, and no others, and that each line there is needed.
func TestModulesOfPrograms(t *testing.T) {
	allowed := readAllowances(t)
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			packages := p.links(t)
			for _, line := range strangers(p.name, packages, allowed) {
				t.Errorf("%s links %s (drop the import, or allow it with a reason in test/house/%s)", p.name, line, allowedModules)
			}
			for _, a := range allowed {
				if slices.Contains(a.programs, p.name) && !slices.ContainsFunc(packages, a.covers) {
					t.Errorf("%s does not link %s (remove %s from its line in test/house/%s)", p.name, a.path, p.name, allowedModules)
				}
			}
		})
	}
}

// TestStrangersAreFound checks that TestModulesOfPrograms would notice a module that no
// line allows, and a package outside a directory that one does.
func TestStrangersAreFound(t *testing.T) {
	packages := []linked{
		{path: "ours/agent", module: "ours", imports: []string{"lib/config", "lib/cli"}},
		{path: "lib/config/types", module: "lib"},
		{path: "lib/config", module: "lib", imports: []string{"lib/config/types"}},
		{path: "lib/cli", module: "lib", imports: []string{"notary"}},
		{path: "notary", module: "notary"},
	}
	allowed := []allowance{{"ours", []string{"agent"}}, {"lib/config", []string{"agent"}}, {"notary", []string{"dockhost"}}}
	got := strangers("agent", packages, allowed)
	if want := []string{"lib/cli, imported by ours/agent", "notary, imported by lib/cli"}; !slices.Equal(got, want) {
		t.Errorf("strangers() = %q, want %q", got, want)
	}
}

// linked is a package of a module that a program links.
type linked struct {
	path, module string
	imports      []string
}

// strangers lists the packages that a program must not link, the first of each module.
func strangers(name string, packages []linked, allowed []allowance) []string {
	var lines, modules []string
	for _, p := range packages {
		isAllowed := slices.ContainsFunc(allowed, func(a allowance) bool { return slices.Contains(a.programs, name) && a.covers(p) })
		if isAllowed || slices.Contains(modules, p.module) {
			continue
		}
		modules = append(modules, p.module)
		line := p.path
		if i := slices.IndexFunc(packages, func(other linked) bool { return slices.Contains(other.imports, p.path) }); i >= 0 {
			line += ", imported by " + packages[i].path
		}
		lines = append(lines, line)
	}
	return lines
}

// links returns the packages of modules that a program links.
func (p program) links(t *testing.T) []linked {
	t.Helper()
	const format = `{{with .Module}}{{$.ImportPath}} {{.Path}} {{join $.Imports " "}}{{end}}`
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", format, p.dir)
	list.Dir = filepath.Join(root, p.module)
	list.Env = append(os.Environ(), "GOOS=linux", "GOFLAGS=", "CGO_ENABLED="+map[bool]string{true: "1", false: "0"}[p.name == "nvidia"])
	list.Stderr = &strings.Builder{}
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", list, err, list.Stderr)
	}
	var packages []linked
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) >= 2 {
			packages = append(packages, linked{fields[0], fields[1], fields[2:]})
		}
	}
	return packages
}

func readAllowances(t *testing.T) []allowance {
	t.Helper()
	text, err := os.ReadFile(allowedModules)
	if err != nil {
		t.Fatal(err)
	}
	var all []allowance
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] == "#" {
			continue
		}
		all = append(all, allowance{fields[0], strings.Split(fields[1], ",")})
	}
	isSorted := slices.IsSortedFunc(all, func(a, b allowance) int { return strings.Compare(a.path, b.path) })
	if len(all) == 0 || !isSorted {
		t.Errorf("the %d lines of test/house/%s are not in order (sort them)", len(all), allowedModules)
	}
	return all
}
