package cloudinit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

const corpus = "testdata/merge"

// made is what cloud-init makes of a document of the corpus. test/e2e runs
// cloud-init's code on a real host to write cloud-init.json.
type made struct {
	Merged    map[string]any `json:"merged"`
	Unhandled []string       `json:"unhandled"`
}

// differs has the documents that dockhost refuses, and cloud-init does not.
func differs() map[string]string {
	return map[string]string{
		"differs-undefined":           "user-data:3:26: template: ds.meta_data.nothing is not defined",
		"differs-jinja-filter":        `user-data:3:30: template: cannot use the filter "tojson" of Jinja in user data`,
		"differs-jinja-function":      `user-data:4:13: template: cannot use the function "range" of Jinja in user data`,
		"differs-jinja-list":          "user-data:3:22: template: cannot write a list as text in user data",
		"differs-jinja-slice":         "user-data:3:29: template: expected a value here",
		"differs-jinja-for-else":      "user-data:5:4: template: unexpected else",
		"differs-jinja-operator":      `user-data:3:12: template: cannot use the operator "//" of Jinja in user data`,
		"differs-broken-part":         "user-data:29:1: not YAML",
		"differs-list-part":           "user-data:28:1: cloud-config is not a mapping",
		"differs-unknown-merger":      "user-data:28:12: unknown merger in merge_how (use dict(), list() or str())",
		"differs-append-text-to-list": "user-data:29:11: cannot merge this into the list of an earlier part",
		"differs-key-twice":           "user-data:3:1: this key stands twice",
		"differs-jsonp-path":          "user-data:28:2: the path leads to nothing",
		// cloud-init loses non-ASCII characters of a part that is not encoded.
		"differs-utf8-in-mime": "",
	}
}

// The merge of all parts equals cloud-init's own merge.
func TestMergeIsCloudInits(t *testing.T) {
	want := map[string]made{}
	readJSON(t, "cloud-init.json", &want)
	metadata := instanceData(t)
	for name, want := range want {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(corpus, name))
			if err != nil {
				t.Fatal(err)
			}
			r := newReader(&UserData{Path: "user-data", Metadata: metadata}, Options{})
			r.foreign = true
			r.whole(t.Context(), raw)
			if refusal, ok := differs()[name]; ok {
				if refusal == "" && len(r.problems) == 0 {
					return
				}
				if len(r.problems) != 1 || !strings.Contains(r.problems.Error(), refusal) {
					t.Errorf("problems = %v, want %q", r.problems, refusal)
				}
				return
			}
			if len(r.problems) > 0 {
				t.Fatal(r.problems)
			}
			if diff := cmp.Diff(want.Merged, merged(t, r), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("merged (-cloud-init, +dockhost):\n%s", diff)
			}
			unread := map[string]int{}
			for _, part := range r.section.Parts {
				if part.Outcome == Skipped && part.Why == whose("") {
					unread[part.Type]++
				}
			}
			unhandled := map[string]int{}
			for _, kind := range want.Unhandled {
				if kind != kindDockhost && kind != kindArchive {
					unhandled[kind]++
				}
			}
			if diff := cmp.Diff(unhandled, unread); diff != "" {
				t.Errorf("types that are not read (-cloud-init, +dockhost):\n%s", diff)
			}
		})
	}
	if len(want) < 40 {
		t.Errorf("the corpus has %d documents, want 40 at least", len(want))
	}
}

// instanceData is the meta-data of the corpus, with its numbers as cloud-init
// has them.
func instanceData(t *testing.T) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpus, "instance-data.json"))
	if err != nil {
		t.Fatal(err)
	}
	metadata := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&metadata); err != nil {
		t.Fatal(err)
	}
	return metadata
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpus, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

// merged returns what a reader has merged, with the types that PyYAML reads.
func merged(t *testing.T, r *reader) map[string]any {
	t.Helper()
	if r.merged == nil {
		return nil
	}
	out, ok := asJSON(t, r.merged).(map[string]any)
	if !ok {
		t.Fatal("not a mapping")
	}
	return out
}

func asJSON(t *testing.T, n *yaml.Node) any {
	t.Helper()
	n = deref(n)
	if n.Kind == yaml.MappingNode {
		out := map[string]any{}
		n = flat(n)
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = asJSON(t, n.Content[i+1])
		}
		return out
	}
	if n.Kind == yaml.SequenceNode {
		out := []any{}
		for _, item := range n.Content {
			out = append(out, asJSON(t, item))
		}
		return out
	}
	if document.IsNull(n) {
		return nil
	}
	if n.ShortTag() == "!!str" && !isText(n) {
		return map[string]any{"yes": true, "on": true, "no": false, "off": false}[n.Value]
	}
	var value any
	if n.ShortTag() == "!!timestamp" || n.ShortTag() == "!!float" && !strings.Contains(n.Value, ".") {
		return n.Value // PyYAML's dates are printed as they stand, its floats have a point
	}
	if err := n.Decode(&value); err != nil {
		t.Fatal(err)
	}
	if i, ok := value.(int); ok {
		return float64(i)
	}
	return value
}
