package assignment

import (
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/spec"
)

// file returns what a Compose file declares, as a source.
func fileSource(t *testing.T, name, text string) Source {
	t.Helper()
	result, err := ReadFile(t.Context(), name, []byte(text), Directory{})
	if err != nil {
		t.Fatal(err)
	}
	return Source{Name: name, Containers: result.Assignment.Containers}
}

func TestMerge(t *testing.T) {
	containers, clashes := Merge([]Source{
		fileSource(t, "a.yaml", "services: {web: {image: nginx, ports: ['80:80']}, db: {image: postgres, container_name: store}}"),
		fileSource(t, "b.yaml", "services: {web: {image: caddy}, proxy: {image: caddy, ports: ['127.0.0.1:80:8080']}, cache: {image: redis, container_name: store}}"),
	})
	var names, messages []string
	for _, c := range containers {
		names = append(names, c.Name+" "+c.Image)
	}
	for _, clash := range clashes {
		if clash.Source != 1 {
			t.Errorf("clash %+v, want it in b.yaml", clash)
		}
		messages = append(messages, clash.Message)
	}
	if want := []string{"db postgres", "web nginx", "proxy caddy"}; !slices.Equal(names, want) {
		t.Errorf("Merge() = %q, want %q", names, want)
	}
	want := []string{
		`containers "db" of a.yaml and "cache" of b.yaml both have the name "store" in Docker: the first counts (take it out there)`,
		`port 80/tcp of the host is published by container "web" of a.yaml, and by "proxy" of b.yaml, too: only one of them can run`,
		`container "web" is declared by a.yaml, and by b.yaml, too: the first counts (take it out there)`,
	}
	if !slices.Equal(messages, want) {
		t.Errorf("Merge() reports\n%s\nwant\n%s", strings.Join(messages, "\n"), strings.Join(want, "\n"))
	}
}

// Two files do not share a volume or a network by accident.
func TestProjectsAreApart(t *testing.T) {
	const text = "services: {%s: {image: nginx, volumes: ['data:/data']}, %[1]s2: {image: nginx}}\nvolumes: {data: }\n"
	used := map[string]string{}
	for _, name := range []string{"blue.yaml", "green.yml"} {
		source := fileSource(t, name, strings.ReplaceAll(strings.ReplaceAll(text, "%[1]s", name[:4]), "%s", name[:4]))
		for _, c := range source.Containers {
			for _, object := range objects(&c) {
				if other := used[object]; other != "" && other != name {
					t.Errorf("%s and %s both use %q", other, name, object)
				}
				used[object] = name
			}
		}
	}
	if used["blue_data"] == "" || used["green_default"] == "" {
		t.Errorf("the files use %v, want blue_data and green_default", used)
	}
}

func objects(c *spec.Container) []string {
	var names []string
	for _, n := range c.Networks {
		names = append(names, n.Name)
	}
	for _, v := range c.Volumes {
		names = append(names, v.Name)
	}
	return names
}
