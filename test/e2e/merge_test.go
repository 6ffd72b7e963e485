//go:build e2e

package e2e

import (
	_ "embed"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the result of cloud-init to the corpus")

//go:embed testdata/merge.py
var mergeProgram string

// TestMergeCorpusMatchesCloudInit runs cloud-init's own code, in the versions of
// the test hosts, on the corpus of package cloudinit. The results must be those
// that the corpus records.
func TestMergeCorpusMatchesCloudInit(t *testing.T) {
	const corpus = "../../cloudinit/testdata/merge"
	golden := filepath.Join(corpus, "cloud-init.json")
	h := newHost(t)
	work := h.output("mktemp -d")
	t.Cleanup(func() { h.run("rm -rf " + work) })
	archive, err := exec.CommandContext(t.Context(), "tar", "-C", corpus, "-c", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, code := h.tryWith("mkdir "+work+"/corpus "+work+"/cloud && tar -C "+work+"/corpus -x", string(archive)); code != 0 {
		t.Fatal(out)
	}
	h.write(work+"/merge.py", mergeProgram)
	out := h.run("python3 " + work + "/merge.py " + work + "/corpus " + work + "/cloud")
	if *update {
		if err := os.WriteFile(golden, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got, want map[string]any
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-file, +%s):\n%s", golden, h.output("cloud-init --version"), diff)
	}
}
