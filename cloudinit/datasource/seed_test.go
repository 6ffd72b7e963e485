package datasource

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestSeed(t *testing.T) {
	dir := filepath.Join(seed(t, map[string]string{"x/user-data": "a", "x/meta-data": "instance-id: i-1"}), "/var/lib/cloud/seed/x")
	data, err := Seed(dir)
	if err != nil || data.InstanceID != "i-1" || string(data.Raw) != "a" || data.Path != filepath.Join(dir, "user-data") {
		t.Errorf("Seed() = %+v, %v", data, err)
	}
}

func TestSeedErrors(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"has neither user-data nor meta-data": {"x/other": ""},
		"has user-data but no meta-data":      {"x/user-data": canary},
		"has meta-data but no user-data":      {"x/meta-data": ""},
	} {
		_, err := Seed(filepath.Join(seed(t, files), "/var/lib/cloud/seed/x"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("Seed() = %v, want %s", err, want)
		}
	}
}
