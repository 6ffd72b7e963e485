package engine

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/registry"

	"github.com/dockhost/dockhost/internal/beneath"
)

// authOf returns what a client with this login sends to a.test.
func authOf(t *testing.T, c *Client, login Login) (registry.AuthConfig, error) {
	t.Helper()
	dir := t.TempDir()
	writeConfig(t, dir, map[string]Login{"a.test": login})
	c.logins = []LoginFile{ConfigFile(dir)}
	var auth registry.AuthConfig
	got, err := c.loginFor(t.Context(), named(t, "a.test/app"))
	if err != nil || got.encoded == "" {
		return auth, err
	}
	raw, err := base64.URLEncoding.DecodeString(got.encoded)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &auth); err != nil {
		t.Fatal(err)
	}
	return auth, nil
}

func TestPasswordFileIsPrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "password")
	tests := []struct {
		name, content string
		mode          os.FileMode
		want, err     string
	}{
		{"plain", "s3cret-canary", 0o600, "s3cret-canary", ""},
		{"with a line break", "s3cret-canary\r\n", 0o400, "s3cret-canary", ""},
		{"with white space", " s3cret canary \n", 0o600, " s3cret canary ", ""},
		{"world-readable", "s3cret-canary", 0o644, "", "run: chmod 600 " + path},
		{"group-readable", "s3cret-canary", 0o640, "", "run: chmod 600 " + path},
		{"empty", "\n", 0o600, "", "is empty"},
		{"too large", strings.Repeat("canary", maxPassword), 0o600, "", "larger than 64 KiB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_ = os.Remove(path)
			write(t, path, test.content)
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			auth, err := authOf(t, &Client{}, Login{Username: "deploy", PasswordFile: path})
			checkSecret(t, auth, err, test.want, test.err)
		})
	}
	granted := &beneath.Grants{Rule: "password_files", Entries: []string{dir}}
	_ = os.Remove(path)
	write(t, path, "s3cret-canary")
	auth, err := authOf(t, &Client{}, Login{Username: "deploy", PasswordFile: path, PasswordGrants: granted})
	checkSecret(t, auth, err, "s3cret-canary", "")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	granted.Entries = []string{filepath.Dir(link)}
	auth, err = authOf(t, &Client{}, Login{Username: "deploy", PasswordFile: link, PasswordGrants: granted})
	checkSecret(t, auth, err, "", "which is not in a directory that the policy grants (password_files")
	for bad, want := range map[string]string{dir: "not a regular file", "/dev/null": "not a regular file", filepath.Join(dir, "none"): "no such file"} {
		auth, err := authOf(t, &Client{}, Login{Username: "deploy", PasswordFile: bad})
		checkSecret(t, auth, err, "", want)
	}
}

func checkSecret(t *testing.T, auth registry.AuthConfig, err error, password, wantErr string) {
	t.Helper()
	switch {
	case wantErr == "" && (err != nil || auth.Password != password || auth.Username != "deploy"):
		t.Errorf("the login is %q with %q, %v, want deploy with %q", auth.Username, auth.Password, err, password)
	case wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr) || !strings.Contains(err.Error(), "a.test")):
		t.Errorf("error = %v, want %q and the registry", err, wantErr)
	case err != nil && strings.Contains(err.Error(), "canary"):
		t.Errorf("error = %v, which shows the secret", err)
	}
}

func TestPasswordCredentialOfUnitPrecedesSystem(t *testing.T) {
	own, system := t.TempDir(), t.TempDir()
	write(t, filepath.Join(system, "reg"), "of-the-system")
	c := &Client{credentials: []string{own, filepath.Join(own, "none"), system}}
	auth, err := authOf(t, c, Login{Username: "deploy", PasswordCredential: "reg"})
	checkSecret(t, auth, err, "of-the-system", "")
	write(t, filepath.Join(own, "reg"), "of-the-unit\n")
	auth, err = authOf(t, c, Login{Username: "deploy", PasswordCredential: "reg"})
	checkSecret(t, auth, err, "of-the-unit", "")
	auth, err = authOf(t, c, Login{Username: "deploy", PasswordCredential: "gone"})
	checkSecret(t, auth, err, "", `the credential "gone" does not exist (looked in `+own)
}

// script installs a credential helper in the PATH.
func script(t *testing.T, name, text string) {
	t.Helper()
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	path := filepath.Join(bin, "docker-credential-"+name)
	write(t, path, "#!/bin/sh\n"+text)
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestHelperOfLoginGetsEnvironment(t *testing.T) {
	script(t, "test", `[ "$1 $(cat)" = "get a.test" ] && echo "{\"Username\":\"$WHO\",\"Secret\":\"$TOKEN\"}"`)
	login := Login{CredentialHelper: "test", Environment: map[string]string{"WHO": "deploy", "TOKEN": "s3cret-canary"}}
	auth, err := authOf(t, &Client{}, login)
	checkSecret(t, auth, err, "s3cret-canary", "")

	// The docker command finds the helper in the same file.
	var file bytes.Buffer
	if err := WriteLogins(&file, map[string]Login{"a.test": login, "docker.io": {CredentialHelper: "other"}}); err != nil {
		t.Fatal(err)
	}
	var config struct {
		CredHelpers map[string]string
	}
	if err := json.Unmarshal(file.Bytes(), &config); err != nil || config.CredHelpers["a.test"] != "test" || config.CredHelpers[dockerHub] != "other" {
		t.Errorf("credHelpers = %v, %v, want the helpers", config.CredHelpers, err)
	}
}

func TestHelperOutcomes(t *testing.T) {
	script(t, "token", `echo '{"Username":"<token>","Secret":"identity-canary"}'`)
	auth, err := authOf(t, &Client{}, Login{CredentialHelper: "token"})
	if err != nil || auth.IdentityToken != "identity-canary" || auth.Password != "" {
		t.Errorf("a token gives %+v, %v, want an identity token", auth, err)
	}
	script(t, "none", "echo credentials not found in native keychain; exit 1")
	if auth, err := authOf(t, &Client{}, Login{CredentialHelper: "none"}); err != nil || auth.Username != "" {
		t.Errorf("a helper without a login gives %+v, %v, want no login", auth, err)
	}
	script(t, "says", "echo the vault is sealed; exit 1")
	_, err = authOf(t, &Client{}, Login{CredentialHelper: "says"})
	if err == nil || !strings.Contains(err.Error(), "docker-credential-says") || !strings.Contains(err.Error(), "the vault is sealed") {
		t.Errorf("a failing helper gives %v, want its name and its reason", err)
	}
	script(t, "leaks", `echo '{"Secret":"s3cret-canary"'; exit 1`)
	_, err = authOf(t, &Client{}, Login{CredentialHelper: "leaks"})
	checkSecret(t, registry.AuthConfig{}, err, "", "docker-credential-leaks")
	script(t, "broken", `echo 's3cret-canary'`)
	_, err = authOf(t, &Client{}, Login{CredentialHelper: "broken"})
	checkSecret(t, registry.AuthConfig{}, err, "", "docker-credential-broken")
	script(t, "endless", "while :; do echo canarycanarycanarycanarycanarycanarycanarycanary; done")
	_, err = authOf(t, &Client{}, Login{CredentialHelper: "endless"})
	checkSecret(t, registry.AuthConfig{}, err, "", "docker-credential-endless")
}

// A helper that hangs is killed with its children.
func TestHangingHelperIsKilled(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	script(t, "hangs", "sleep 1000 & echo $! $$ >"+pids+"; wait")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("out of patience"))
	defer cancel()
	_, err := askHelper(ctx, "hangs", "a.test", nil)
	if err == nil || !strings.Contains(err.Error(), "docker-credential-hangs: out of patience") {
		t.Fatalf("askHelper() = %v, want the deadline", err)
	}
	raw, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for pid := range strings.FieldsSeq(string(raw)) {
		gone := false
		for range 100 {
			// A killed process may remain a zombie, since nobody waits for it here.
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if gone = err != nil || strings.Contains(string(stat), ") Z "); gone {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if !gone {
			t.Errorf("process %s still runs", pid)
		}
	}
}

func TestIdentityIsGoogleToken(t *testing.T) {
	tests := []struct {
		name    string
		status  int
		flavor  string
		body    string
		want    string
		problem string
	}{
		{"a token", 200, "Google", `{"access_token":"s3cret-canary","expires_in":3599,"token_type":"Bearer"}`, "s3cret-canary", ""},
		{"no service account", 404, "Google", "", "", ""},
		{"not Google", 200, "", `{"access_token":"x"}`, "", "the answer does not come from Google"},
		{"an error", 503, "Google", "canary", "", "the server answered 503"},
		{"a redirect", 302, "Google", "", "", "the server answered 302"},
		{"no token", 200, "Google", `{"canary":1}`, "", "contains no token"},
		{"too much", 200, "Google", `{"x":"` + strings.Repeat("canary", maxAnswer) + `"}`, "", "contains no token"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != googleToken || r.Header.Get("Metadata-Flavor") != "Google" {
					t.Errorf("got a request for %s with %v", r.URL, r.Header)
				}
				if test.flavor != "" {
					w.Header().Set("Metadata-Flavor", test.flavor)
				}
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			}))
			defer server.Close()
			auth, err := authOf(t, &Client{metadata: server.URL}, Login{Identity: "gce"})
			switch {
			case test.problem == "" && (err != nil || auth.Password != test.want || test.want != "" && auth.Username != googleUser):
				t.Errorf("the login is %+v, %v, want %q", auth, err, test.want)
			case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem) || strings.Contains(err.Error(), "canary")):
				t.Errorf("error = %v, want %q and no secret", err, test.problem)
			}
		})
	}
}
