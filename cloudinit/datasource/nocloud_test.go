package datasource

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/cloudinit"
)

// canary stands for a secret in bad user data.
const canary = "hunter2canary"

func readSeeds(root string) (*cloudinit.UserData, error) {
	_, data, err := Find(context.Background(), Options{Root: root})
	return data, err
}

func seed(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, "/var/lib/cloud/seed", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestRead(t *testing.T) {
	tests := []struct {
		name     string
		files    map[string]string
		path, id string
	}{
		{"yaml", map[string]string{"nocloud/user-data": "a", "nocloud/meta-data": "instance-id: i-1\nlocal-hostname: x\n"}, "nocloud", "i-1"},
		{"json", map[string]string{"nocloud/user-data": "a", "nocloud/meta-data": `{"instance-id": "i-2"}`}, "nocloud", "i-2"},
		{"number", map[string]string{"nocloud/user-data": "a", "nocloud/meta-data": "instance-id: 0017"}, "nocloud", "0017"},
		{"empty meta-data", map[string]string{"nocloud/user-data": "a", "nocloud/meta-data": ""}, "nocloud", "nocloud"},
		{"null meta-data", map[string]string{"nocloud/user-data": "a", "nocloud/meta-data": "---\n~\n"}, "nocloud", "nocloud"},
		{"no instance-id", map[string]string{"nocloud/user-data": "a", "nocloud/meta-data": "local-hostname: x"}, "nocloud", "nocloud"},
		{"empty instance-id", map[string]string{"nocloud/user-data": "a", "nocloud/meta-data": "instance-id: ''"}, "nocloud", "nocloud"},
		{"nocloud-net", map[string]string{"nocloud-net/user-data": "a", "nocloud-net/meta-data": "instance-id: n"}, "nocloud-net", "n"},
		{"nocloud first", map[string]string{
			"nocloud-net/user-data": "a", "nocloud-net/meta-data": "instance-id: n",
			"nocloud/user-data": "a", "nocloud/meta-data": "instance-id: i",
		}, "nocloud", "i"},
		{"half a nocloud", map[string]string{
			"nocloud-net/user-data": "a", "nocloud-net/meta-data": "instance-id: n",
			"nocloud/user-data": "a",
		}, "nocloud-net", "n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := readSeeds(seed(t, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			path := "/var/lib/cloud/seed/" + tt.path + "/user-data"
			if data.Path != path || data.InstanceID != tt.id || data.Datasource != "NoCloud" || string(data.Raw) != "a" {
				t.Errorf("Read() = %+v, want path %q, instance-id %q", data, path, tt.id)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct {
		name     string
		files    map[string]string
		notFound bool
		want     string
	}{
		{"nothing", nil, true, "no datasource has user data for this host"},
		{"no meta-data", map[string]string{"nocloud/user-data": canary}, true, `"/var/lib/cloud/seed/nocloud" has user-data but no meta-data (create the file`},
		{"no user-data", map[string]string{"nocloud-net/meta-data": "instance-id: x"}, true, `"/var/lib/cloud/seed/nocloud-net" has meta-data but no user-data (create`},
		{"user-data is a directory", map[string]string{"nocloud/user-data/x": "", "nocloud/meta-data": ""}, false, "not a regular file"},
		{"too large", map[string]string{"nocloud/user-data": strings.Repeat("x", cloudinit.MaxSize+1), "nocloud/meta-data": ""}, false, "larger than 16 MiB"},
		{"meta-data is no YAML", map[string]string{"nocloud/user-data": "", "nocloud/meta-data": "instance-id: [" + canary}, false, "meta-data:1:28: not YAML: did not find expected ',' or ']' for what opens at line 1, column 14"},
		{"meta-data is a list", map[string]string{"nocloud/user-data": "", "nocloud/meta-data": "- a"}, false, "meta-data:1:1: not a mapping"},
		{"instance-id is a list", map[string]string{"nocloud/user-data": "", "nocloud/meta-data": "a: b\ninstance-id: [a]"}, false, "meta-data:2:14: instance-id is not a string"},
		{"instance-id twice", map[string]string{"nocloud/user-data": "", "nocloud/meta-data": "instance-id: a\ninstance-id: b"}, false, "meta-data:2:1: this key stands twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := readSeeds(seed(t, tt.files))
			if err == nil {
				t.Fatalf("Read() = %+v, want an error", data)
			}
			if errors.Is(err, ErrNotFound) != tt.notFound {
				t.Errorf("errors.Is(%v, ErrNotFound) = %v, want %v", err, !tt.notFound, tt.notFound)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), canary) {
				t.Errorf("Read() error = %v, want it to contain %q and no user data", err, tt.want)
			}
		})
	}
}

func TestReadUnreadable(t *testing.T) {
	root := seed(t, map[string]string{"nocloud/user-data": "", "nocloud/meta-data": ""})
	dir := filepath.Join(root, "/var/lib/cloud/seed/nocloud")
	if err := os.Remove(filepath.Join(dir, "user-data")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("user-data", filepath.Join(dir, "user-data")); err != nil {
		t.Fatal(err)
	}
	if _, err := readSeeds(root); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("Read() with a symlink loop: error %v, want one that is not ErrNotFound", err)
	}
}

func FuzzParseMeta(f *testing.F) {
	for _, text := range []string{"", "instance-id: a\n", `{"instance-id": 1}`, "instance-id: &a\n", "- a", "instance-id: !!float 1", "a: {b: c}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := parseMeta(raw); err == nil && m.instanceID("nocloud") == "" {
			t.Error("instanceID() = \"\", want an id or an error")
		}
	})
}
