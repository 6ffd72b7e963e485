package engine

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestLoginFor(t *testing.T) {
	assigned, own := t.TempDir(), t.TempDir()
	writeConfig(t, assigned, map[string]Login{"localhost:5000": {Username: "deploy", Password: "from-user-data"}})
	writeConfig(t, own, map[string]Login{"localhost:5000": {Username: "root", Password: "from-home"}, "docker.io": {Username: "hub", Password: "hub-secret"}})
	c := &Client{logins: []LoginFile{ConfigFile(assigned), ConfigFile(own), ConfigFile(t.TempDir())}}
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
		got, err := c.loginFor(t.Context(), named)
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

// The parser of config.json quotes parts that may contain passwords.
func TestLoginForKeepsSecrets(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths": {"localhost:5000": {"auth": "s3cret-canary"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	named, err := reference.ParseNormalizedNamed("localhost:5000/nginx")
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{logins: []LoginFile{ConfigFile(dir)}}
	_, err = c.loginFor(t.Context(), named)
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

func TestFromEnvironment(t *testing.T) {
	env := map[string]string{
		"DOCKER_HOST": "unix:///x.sock", "HOME": "/home/app", "CREDENTIALS_DIRECTORY": "/run/credentials/app.service",
	}
	getenv := func(name string) string { return env[name] }
	want := Options{Host: "unix:///x.sock", Access: Access{ConfigDir: "/home/app/.docker"}, Logins: []LoginFile{
		{Path: "/run/dockhost/logins/config.json"},
		{Path: "/run/credentials/app.service/docker-config"},
		{Path: "/home/app/.docker/config.json"},
		{Path: "/home/app/.dockercfg", Old: true},
	}, Credentials: append([]string{"/run/credentials/app.service"}, credentialStores()...)}
	if diff := cmp.Diff(want, FromEnvironment(getenv, "/run/dockhost/logins")); diff != "" {
		t.Errorf("FromEnvironment() (-want +got):\n%s", diff)
	}
	env = map[string]string{"DOCKER_CONFIG": "/etc/app/docker", "HOME": "/home/app"}
	want = Options{Access: Access{ConfigDir: "/etc/app/docker"}, Logins: []LoginFile{{Path: "/etc/app/docker/config.json"}, {Path: "/home/app/.dockercfg", Old: true}}, Credentials: credentialStores()}
	if diff := cmp.Diff(want, FromEnvironment(getenv)); diff != "" {
		t.Errorf("FromEnvironment() with DOCKER_CONFIG (-want +got):\n%s", diff)
	}
}

// The sources are searched in the order of FromEnvironment.
func TestLoginsInOrder(t *testing.T) {
	const old = `{"https://registry.test:5000/v1/": {"auth": "b2xkOm9sZC1zM2NyZXQ=", "email": "old@example.com"}}`
	home, credentials := t.TempDir(), t.TempDir()
	env := map[string]string{"HOME": home, "CREDENTIALS_DIRECTORY": credentials}
	client := &Client{logins: FromEnvironment(func(name string) string { return env[name] }).Logins}
	steps := []struct{ who, file, content string }{
		{who: "without a login for registry.test:5000"},
		{`as "old" at registry.test:5000`, filepath.Join(home, ".dockercfg"), old},
		{`as "own" at registry.test:5000`, filepath.Join(home, ".docker/config.json"), configFile(t, "own")},
		{`as "unit" at registry.test:5000`, filepath.Join(credentials, "docker-config"), configFile(t, "unit")},
	}
	for _, step := range steps {
		if step.file != "" {
			write(t, step.file, step.content)
		}
		got, err := client.loginFor(t.Context(), named(t, "registry.test:5000/app"))
		if err != nil || got.who() != step.who {
			t.Errorf("after %s: loginFor().who() = %q, %v, want %q", step.file, got.who(), err, step.who)
		}
	}
}

// User= in a unit may be a user who cannot read root's logins.
func TestUnreadableFileIsNoLogin(t *testing.T) {
	dir, own := t.TempDir(), t.TempDir()
	writeConfig(t, dir, map[string]Login{"registry.test": {Username: "root", Password: "s3cret"}})
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	client := &Client{logins: []LoginFile{ConfigFile(dir), ConfigFile(own)}}
	var got login
	var err error
	asNobody(t, func() { got, err = client.loginFor(t.Context(), named(t, "registry.test/app")) })
	if err != nil || got.who() != "without a login for registry.test" {
		t.Errorf("loginFor() = %q, %v, want no login and no error", got.who(), err)
	}
}

// asNobody calls f without root's privilege to read everything.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		// The thread stays locked, so it ends with the goroutine.
		runtime.LockOSThread()
		err := unix.Setfsuid(65534)
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestCredentialHelper(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	write(t, filepath.Join(dir, "config.json"), `{"credHelpers": {"ecr.test": "vault", "gone.test": "no-such-helper"}}`)
	write(t, filepath.Join(bin, "docker-credential-vault"), "#!/bin/sh\n"+`[ "$(cat)" = ecr.test ] && echo '{"Username":"AWS","Secret":"s3cret"}'`)
	if err := os.Chmod(filepath.Join(bin, "docker-credential-vault"), 0o755); err != nil {
		t.Fatal(err)
	}
	client := &Client{logins: []LoginFile{ConfigFile(dir)}}
	if got, err := client.loginFor(t.Context(), named(t, "ecr.test/app")); err != nil || got.who() != `as "AWS" at ecr.test` {
		t.Errorf("loginFor() with a helper = %q, %v", got.who(), err)
	}
	_, err := client.loginFor(t.Context(), named(t, "gone.test/app"))
	if err == nil || !strings.Contains(err.Error(), "docker-credential-no-such-helper") || !strings.Contains(err.Error(), dir) {
		t.Errorf("loginFor() with a missing helper = %v, want an error that names it and the file", err)
	}
}

func TestBadDockercfgKeepsSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".dockercfg")
	write(t, path, `{"registry.test": {"auth": "s3cret-canary"}}`)
	client := &Client{logins: []LoginFile{{Path: path, Old: true}}}
	_, err := client.loginFor(t.Context(), named(t, "registry.test/app"))
	if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), path) {
		t.Errorf("loginFor() = %v, want an error that names the file, without the secret", err)
	}
}

func named(t *testing.T, ref string) reference.Named {
	t.Helper()
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// configFile returns a config.json with a login for registry.test:5000.
func configFile(t *testing.T, user string) string {
	t.Helper()
	var b strings.Builder
	if err := WriteLogins(&b, map[string]Login{"registry.test:5000": {Username: user, Password: "s3cret"}}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
