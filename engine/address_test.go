package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeContext writes a context as the docker command does.
func writeContext(t *testing.T, dir, name, meta string) {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	path := filepath.Join(dir, "contexts/meta", hex.EncodeToString(sum[:]), "meta.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(meta), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAddress(t *testing.T) {
	dir := t.TempDir()
	writeContext(t, dir, "local", `{"Name":"local","Endpoints":{"docker":{"Host":"unix:///run/other.sock"}}}`)
	writeContext(t, dir, "remote", `{"Name":"remote","Endpoints":{"docker":{"Host":"ssh://root@other"}}}`)
	writeContext(t, dir, "empty", `{}`)
	writeContext(t, dir, "broken", `{`)
	const standard = "unix:///var/run/docker.sock"
	for name, test := range map[string]struct {
		environ map[string]string
		want    string
		problem string
	}{
		"nothing":            {nil, standard, ""},
		"a host":             {map[string]string{"DOCKER_HOST": "tcp://127.0.0.1:1"}, "tcp://127.0.0.1:1", ""},
		"ssh":                {map[string]string{"DOCKER_HOST": "ssh://other"}, "", `cannot use "ssh://other"`},
		"a local context":    {map[string]string{"DOCKER_CONTEXT": "local"}, "unix:///run/other.sock", ""},
		"the default":        {map[string]string{"DOCKER_CONTEXT": "default"}, standard, ""},
		"no address":         {map[string]string{"DOCKER_CONTEXT": "empty"}, standard, ""},
		"another host's":     {map[string]string{"DOCKER_CONTEXT": "remote"}, "", `the context "remote" is Docker at ssh://root@other`},
		"a missing context":  {map[string]string{"DOCKER_CONTEXT": "none"}, "", `the context "none" does not exist`},
		"a broken context":   {map[string]string{"DOCKER_CONTEXT": "broken"}, "", `the context "broken"`},
		"a host wins":        {map[string]string{"DOCKER_CONTEXT": "remote", "DOCKER_HOST": standard}, standard, ""},
		"TLS, unverified":    {map[string]string{"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS": "1"}, "", "set DOCKER_TLS_VERIFY=1"},
		"TLS, without files": {map[string]string{"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/none"}, "", "/none/"},
		"TLS, local":         {map[string]string{"DOCKER_TLS_VERIFY": "1"}, standard, ""},
		"an API version":     {map[string]string{"DOCKER_API_VERSION": "1.41"}, standard, ""},
	} {
		t.Run(name, func(t *testing.T) {
			getenv := func(key string) string {
				if key == "DOCKER_CONFIG" {
					return dir
				}
				return test.environ[key]
			}
			c, err := New(FromEnvironment(getenv))
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Fatalf("New() = %v, want %q", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Host() != test.want {
				t.Errorf("Host() = %q, want %q", c.Host(), test.want)
			}
			if version := test.environ["DOCKER_API_VERSION"]; version != "" && c.api().ClientVersion() != version {
				t.Errorf("API version = %s, want %s", c.api().ClientVersion(), version)
			}
		})
	}
}

func TestCurrentContext(t *testing.T) {
	for config, want := range map[string]string{`{"currentContext": "other"}`: "other", `{"currentContext": "default"}`: "", `{}`: "", `{`: ""} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		getenv := func(key string) string { return map[string]string{"DOCKER_CONFIG": dir}[key] }
		if got := CurrentContext(getenv); got != want {
			t.Errorf("CurrentContext() of %s = %q, want %q", config, got, want)
		}
	}
}
