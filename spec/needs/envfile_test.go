package needs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

func TestReadRawEnvFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raw.env")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# a comment\nQUOTED=\"as it is\"\n  PRICE=5$ # of many\n\nEMPTY=\nUNSET\n")
	got, err := ReadEnvFile(spec.EnvFile{Path: path, Required: true, Format: "raw"}, nil)
	want := map[string]string{"QUOTED": `"as it is"`, "PRICE": "5$ # of many", "EMPTY": ""}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("ReadEnvFile() = %v, want (-want +got):\n%s", err, diff)
	}
	write("a name=hunter2canary\n")
	if _, err := ReadEnvFile(spec.EnvFile{Path: path, Format: "raw"}, nil); err == nil || strings.Contains(err.Error(), "hunter2canary") {
		t.Errorf("ReadEnvFile() error = %v, want one without the line", err)
	}
}
