package engine

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
)

func TestLoginFor(t *testing.T) {
	assigned, own := t.TempDir(), t.TempDir()
	writeConfig(t, assigned, map[string]Login{"localhost:5000": {"deploy", "from-user-data"}})
	writeConfig(t, own, map[string]Login{"localhost:5000": {"root", "from-home"}, "docker.io": {"hub", "hub-secret"}})
	c := &Client{configDirs: []string{assigned, own, t.TempDir()}}
	tests := []struct{ ref, user, password, who string }{
		{"localhost:5000/nginx", "deploy", "from-user-data", `as "deploy" at localhost:5000`},
		{"nginx", "hub", "hub-secret", `as "hub" at docker.io`},
		{"ghcr.io/x/y", "", "", "without a login for ghcr.io"},
	}
	for _, test := range tests {
		named, err := reference.ParseNormalizedNamed(test.ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.loginFor(named)
		if err != nil {
			t.Fatalf("loginFor(%q) = %v", test.ref, err)
		}
		if got.who() != test.who {
			t.Errorf("loginFor(%q).who() = %q, want %q", test.ref, got.who(), test.who)
		}
		var auth registry.AuthConfig
		if got.encoded != "" {
			raw, err := base64.URLEncoding.DecodeString(got.encoded)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(raw, &auth); err != nil {
				t.Fatal(err)
			}
		}
		if auth.Username != test.user || auth.Password != test.password {
			t.Errorf("loginFor(%q) logs in as %q with %q, want %q with %q", test.ref, auth.Username, auth.Password, test.user, test.password)
		}
	}
}

// A config.json may hold passwords in parts that its parser quotes.
func TestLoginForKeepsSecrets(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths": {"localhost:5000": {"auth": "s3cret-canary"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	named, err := reference.ParseNormalizedNamed("localhost:5000/nginx")
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{configDirs: []string{dir}}
	_, err = c.loginFor(named)
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("loginFor() = %v, want an error without the secret", err)
	}
}

func writeConfig(t *testing.T, dir string, logins map[string]Login) {
	t.Helper()
	var b bytes.Buffer
	if err := WriteLogins(&b, logins); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
