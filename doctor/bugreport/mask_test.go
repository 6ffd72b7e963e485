package bugreport

import (
	"strings"
	"testing"
)

const canary = "hunter2canary"

// TestMaskText masks secrets in texts of all kinds, and keeps the rest.
func TestMaskText(t *testing.T) {
	tests := []struct{ name, text, kept string }{
		{"a URL", "proxy http://user:hunter2canary@proxy.test:3128/ is used", "@proxy.test:3128/ is used"},
		{"a token in a URL", "get https://hunter2canary@github.test/x", "@github.test/x"},
		{"a setting", "registry:\n  password: hunter2canary\n  user: deploy\n", "user: deploy"},
		{"a quoted setting", `{"password": "hunter2canary and more", "user": "deploy"}`, `"user": "deploy"`},
		{"a flag", "run: app --api-key hunter2canary --port 80", "--port 80"},
		{"a flag with =", "run: app --db-password=hunter2canary --port=80", "--port=80"},
		{"Environment= of a unit", "[Service]\nEnvironment=A=hunter2canary \"B=hunter2canary x\"\nRestart=always\n", "Restart=always"},
		{"-e of a command", "ExecStart=/usr/bin/dockhost run -e MODE=hunter2canary -p 80:80 nginx", "ExecStart=/usr/bin/dockhost run -e MODE="},
		{"SetCredential=", "SetCredential=db:hunter2canary\nType=notify\n", "Type=notify"},
		{"a header", "Authorization: Bearer hunter2canary\nHost: a\n", "Host: a"},
		{"a known secret", "the app said plain-known-value", "the app said"},
		{"a variable in a log", "started with SECRET_KEY=hunter2canary DEBUG=1", "DEBUG=1"},
	}
	m := newMasker([]string{"plain-known-value", "1", ""})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := m.text(test.text)
			if strings.Contains(got, canary) || strings.Contains(got, "plain-known-value") || !strings.Contains(got, test.kept) {
				t.Errorf("text(%q) = %q, want no secret, and %q", test.text, got, test.kept)
			}
		})
	}
}

// TestMaskKeepsPlainText checks that the mask leaves what people read.
func TestMaskKeepsPlainText(t *testing.T) {
	for _, text := range []string{
		"Nov 29 10:00:00 host dockhost[1]: image pulled image=registry.test/web:1.2 seconds=3",
		"the registry refuses the password of deploy\n", "MemoryMax=64M\nLimitNOFILE=1024\n", "a token is wrong, and a secret too",
		"Nov 29 10:00:00 systemd[1]: Started dockhost@web.service - container web.",
	} {
		if got := newMasker(nil).text(text); got != text {
			t.Errorf("text(%q) = %q, want it unchanged", text, got)
		}
	}
}

func TestMaskJSON(t *testing.T) {
	const document = `{"Name": "/web", "Args": ["hunter2canary"], "Config": {
		"Env": ["PATH=/usr/bin", "DB=hunter2canary"], "Cmd": ["serve", "hunter2canary"], "Image": "web:1",
		"Healthcheck": {"Test": ["CMD", "hunter2canary"]},
		"Labels": {"team": "hunter2canary", "dockhost.name": "web"}},
		"HostConfig": {"LogConfig": {"Type": "splunk", "Config": {"splunk-token": "hunter2canary", "url": "hunter2canary", "max-size": "10m"}}},
		"HttpProxy": "http://u:hunter2canary@proxy.test", "auths": {"registry.test": {"auth": "hunter2canary"}}, "Memory": 17}`
	got := newMasker(nil).json(document)
	if strings.Contains(got, canary) {
		t.Errorf("json() = %s, want no secret", got)
	}
	for _, kept := range []string{`"PATH=***"`, `"DB=***"`, `"serve"`, `"dockhost.name": "web"`, `"team": "***"`, `"max-size": "10m"`, `"Type": "splunk"`, `"Memory": 17`, "@proxy.test"} {
		if !strings.Contains(got, kept) {
			t.Errorf("json() = %s, want %s in it", got, kept)
		}
	}
	if got := newMasker(nil).json("password: hunter2canary"); strings.Contains(got, canary) {
		t.Errorf("json() of a text = %q, want no secret", got)
	}
}

func TestSecretsIn(t *testing.T) {
	got := strings.Join(SecretsIn([]byte(`{"Config": {"Env": ["A=first-secret", "PATH=/usr/bin"], "Labels": {"x": "second-secret", "dockhost.name": "web"}},
		"auths": {"r": {"auth": "ZGVwbG95OnMzY3JldC10b28="}}, "Args": ["serve", "--k", "third-secret"]}`)), " ")
	for _, want := range []string{"first-secret", "second-secret", "third-secret", "s3cret-too"} {
		if !strings.Contains(got, want) {
			t.Errorf("SecretsIn() = %q, want %s", got, want)
		}
	}
	if strings.Contains(got, "/usr/bin") || strings.Contains(got, "web") {
		t.Errorf("SecretsIn() = %q, want neither paths nor labels of dockhost", got)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("password: x", canary)
	f.Add(`{"Env": ["A=`, canary)
	f.Add("http://", canary)
	f.Fuzz(func(t *testing.T, text, secret string) {
		if len(secret) < minSecret || strings.Contains(masked, secret) || strings.Contains(secret, "*") {
			return
		}
		m := newMasker([]string{secret})
		if got := m.text(text + secret); strings.Contains(got, secret) && !strings.Contains(text, secret[:1]) {
			t.Errorf("text(%q) = %q, want no %q", text+secret, got, secret)
		}
		m.json(text)
	})
}
