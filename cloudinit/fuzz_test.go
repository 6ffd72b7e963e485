package cloudinit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// checkSection fails where a section is not as it must be, whatever was read.
func checkSection(t *testing.T, raw []byte) {
	t.Helper()
	data := &UserData{Path: "user-data", Raw: raw, Metadata: map[string]any{
		"v1": map[string]any{"local_hostname": "h", "region": "x"}, "ds": map[string]any{"meta_data": map[string]any{"tags": []any{"a"}}},
	}}
	section, err := data.Section(t.Context(), Options{Include: func(context.Context, string) ([]byte, error) { return raw, nil }})
	if section == nil || err != nil && section.Node != nil || section.Node != nil && section.Node.Kind != yaml.MappingNode {
		t.Fatalf("Section() = %+v, %v, want a section, and no node with an error", section, err)
	}
	if len(section.Parts) > 2*maxParts {
		t.Errorf("Section() = %d parts", len(section.Parts))
	}
	checkPositions(t, err)
}

func checkPositions(t *testing.T, err error) {
	t.Helper()
	var problems document.Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatalf("Section() error = %T, want document.Problems", err)
	}
	for _, problem := range problems {
		if problem.Line < 1 || problem.Column < 1 || problem.File == "" || strings.Contains(problem.Message, "\n") {
			t.Errorf("Section() error = %+v, want a position and one line", problem)
		}
	}
}

// seedCorpus adds the documents of the merge corpus whose names begin so.
func seedCorpus(f *testing.F, prefixes ...string) {
	f.Helper()
	for _, prefix := range prefixes {
		files, err := filepath.Glob(filepath.Join(corpus, prefix+"*"))
		if err != nil || len(files) == 0 {
			f.Fatalf("no document %s* in the corpus: %v", prefix, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw)
		}
	}
}

func FuzzMIME(f *testing.F) {
	seedCorpus(f, "mime", "gzip", "base64")
	f.Add([]byte(nested(9)))
	f.Fuzz(checkSection)
}

func FuzzArchive(f *testing.F) {
	seedCorpus(f, "archive")
	f.Fuzz(func(t *testing.T, raw []byte) { checkSection(t, append([]byte("#cloud-config-archive\n"), raw...)) })
}

func FuzzJinja(f *testing.F) {
	seedCorpus(f, "jinja")
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkSection(t, append([]byte("## template: jinja\n#cloud-config\n"), raw...))
	})
}

func FuzzCloudConfig(f *testing.F) {
	for _, text := range []string{
		"", good, "#!/bin/sh\n", "#cloud-config\n- a\n", "#cloud-config\na: &a [*a]\n", laughs(),
		"#cloud-config\n? [a, b]\n: c\n", "#cloud-config\n<<: {dockhost: {}}\n", "#cloud-config\na: !!binary x\n",
		"#cloud-config\n---\n...\n---\n", "#cloud-config\ndockhost: {registries: {h: {password: \"x\"}}}\n",
	} {
		f.Add([]byte(text))
		f.Add(pack(f, text))
	}
	seedCorpus(f, "plain", "jsonp", "differs")
	f.Fuzz(checkSection)
}

// FuzzMerge merges two parts in any way.
func FuzzMerge(f *testing.F) {
	f.Add("list(append)+dict(recurse_array)+str()", "a: {b: [1, x]}\ndockhost: {containers: {w: {}}}", "a: {b: [2], c: ~}\ndockhost: {}")
	f.Add("dict(allow_delete)+str(append)", "a: x\nb: &b {c: 1}\n<<: *b", "a: y\nb: ~\nd: {<<: {e: 1}}")
	f.Fuzz(func(t *testing.T, how, first, second string) {
		checkSection(t, []byte(multipart(as(kindCloudConfig, first), "Merge-Type: "+how+"\n"+as(kindCloudConfig, second), as(kindPatch, second))))
	})
}

// What 16 KiB of user data cost: 5 ms is the goal.
func BenchmarkSection(b *testing.B) {
	config := func(header string) string {
		text := header + "#cloud-config\ndockhost:\n  containers:\n"
		for i := 0; len(text) < 16<<10; i++ {
			text += strings.ReplaceAll("    webN: {image: 'nginx:1.22', ports: ['80N:80'], environment: {A: one, B: two}, restart: always}\n", "N", string(rune('a'+i%26))+strings.Repeat("x", i/26))
		}
		return text
	}
	plain := config("")
	template := config("## template: jinja\n")
	template = strings.ReplaceAll(template, "one", "{{ v1.local_hostname | upper }}")
	for name, raw := range map[string][]byte{
		"plain":    []byte(plain),
		"gzip":     pack(b, plain),
		"MIME":     []byte(multipart(as(kindScript, "#!/bin/sh"), based64(kindCloudConfig, plain))),
		"jinja":    []byte(template),
		"archive":  []byte("#cloud-config-archive\n- |\n" + indent(plain, 2)),
		"own type": []byte(multipart(as(kindDockhost, plain))),
	} {
		b.Run(name, func(b *testing.B) {
			data := &UserData{Path: "user-data", Raw: raw, Metadata: map[string]any{"v1": map[string]any{"local_hostname": "h"}}}
			for b.Loop() {
				if section, err := data.Section(b.Context(), Options{}); err != nil || section.Node == nil {
					b.Fatal(section, err)
				}
			}
		})
	}
}
