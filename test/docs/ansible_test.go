package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

const (
	ansibleDir = "packaging/examples/ansible"
	roleDir    = ansibleDir + "/roles/dockhost"
)

// TestAnsibleVariables checks that defaults, argument_specs and README list the
// same variables with the same defaults, and that tasks use these and no others.
func TestAnsibleVariables(t *testing.T) {
	var defaults map[string]any
	parseYAML(t, roleDir+"/defaults/main.yml", &defaults)
	var specs struct {
		ArgumentSpecs struct {
			Main struct {
				Options map[string]struct{ Default any }
			}
		} `yaml:"argument_specs"`
	}
	parseYAML(t, roleDir+"/meta/argument_specs.yml", &specs)
	specified := map[string]any{}
	for name, option := range specs.ArgumentSpecs.Main.Options {
		specified[name] = option.Default
	}
	if diff := cmp.Diff(defaults, specified); diff != "" {
		t.Errorf("variables (-defaults, +argument_specs):\n%s", diff)
	}

	used := map[string]bool{}
	for _, file := range ansibleFiles(t) {
		text := read(t, file)
		for _, name := range variable.FindAllString(text, -1) {
			_, known := defaults[name]
			used[name] = used[name] || strings.HasPrefix(file, roleDir+"/tasks/")
			if !known && !strings.Contains(text, "register: "+name) && !strings.Contains(read(t, roleDir+"/tasks/configure.yml"), " "+name+":") {
				t.Errorf("%s: the role has no variable %s", file, name)
			}
		}
	}
	page := read(t, roleDir+"/README.md")
	for name := range defaults {
		if !used[name] {
			t.Errorf("no task uses %s", name)
		}
		if !strings.Contains(page, "| `"+name+"` |") {
			t.Errorf("the role's README lacks %s", name)
		}
	}
}

var (
	variable = regexp.MustCompile(`\bdockhost_[a-z_]+\b`)
	module   = regexp.MustCompile(`(?m)^ +([a-z]+\.[a-z.]+[a-z]):`)
	notified = regexp.MustCompile(`(?m)^ +notify: (.*)$`)
)

// TestAnsibleModules checks that the role needs no collection, restarts nothing,
// and notifies existing handlers.
func TestAnsibleModules(t *testing.T) {
	builtin := []string{"apt", "command", "copy", "dnf", "file", "find", "import_tasks", "meta", "package", "systemd", "template"}
	count := 0
	for _, file := range ansibleFiles(t) {
		if !strings.HasPrefix(file, roleDir) {
			continue
		}
		text := read(t, file)
		for _, m := range module.FindAllStringSubmatch(text, -1) {
			count++
			if name, found := strings.CutPrefix(m[1], "ansible.builtin."); !found || !slices.Contains(builtin, name) {
				t.Errorf("%s: module %s, want one of ansible.builtin: %v", file, m[1], builtin)
			}
		}
		for _, m := range notified.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(read(t, roleDir+"/handlers/main.yml"), "- name: "+m[1]+"\n") {
				t.Errorf("%s notifies %q, but there is no such handler", file, m[1])
			}
		}
		if strings.Contains(text, "state: restarted") {
			t.Errorf("%s restarts something", file)
		}
	}
	if count < 10 {
		t.Errorf("found %d modules, want all modules of the role", count)
	}
}

// TestAnsibleExample checks that the Compose files of the example pass
// `dockhostctl validate`.
func TestAnsibleExample(t *testing.T) {
	var plays []struct {
		Roles []struct {
			Vars struct {
				Containers map[string]any `yaml:"dockhost_containers"`
			}
		}
	}
	parseYAML(t, ansibleDir+"/site.yml", &plays)
	if len(plays) != 1 || len(plays[0].Roles) != 1 || len(plays[0].Roles[0].Vars.Containers) == 0 {
		t.Fatalf("site.yml has no play with one role and its containers: %+v", plays)
	}
	for name, file := range plays[0].Roles[0].Vars.Containers {
		text, err := yaml.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { renders(t, string(text)) })
	}
}

// ansibleFiles lists the files of the example that Ansible reads.
func ansibleFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(root, ansibleDir), func(path string, entry fs.DirEntry, err error) error {
		if extension := filepath.Ext(path); err == nil && !entry.IsDir() && (extension == ".yml" || extension == ".j2") {
			name, _ := filepath.Rel(root, path)
			files = append(files, name)
		}
		return err
	})
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files in %s: %v", len(files), ansibleDir, err)
	}
	return files
}

func parseYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
