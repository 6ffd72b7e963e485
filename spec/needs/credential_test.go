package needs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/spec"
)

func TestCredentials(t *testing.T) {
	root := t.TempDir()
	for path, size := range map[string]int{
		"/etc/credstore/plain": 1, "/run/credstore/large": spec.MaxFile + 1, "/usr/lib/credstore.encrypted/sealed": 1,
		"/etc/credstore/both": 1, "/etc/credstore.encrypted/both": 1,
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set := []spec.UnitSetting{{Section: "Service", Key: "SetCredential", Value: "inline:value"}, {Section: "Service", Key: "LoadCredential", Value: "absent"}}
	for _, test := range []struct {
		name, want string
		version    int
	}{
		{"plain", "", 247},
		{"both", "", 247},
		{"sealed", "", 250},
		{"inline", "", 252},
		{"given", "", 252},
		{"absent", `/run/secrets/key in the container: the host has no credential "absent" (write it to /etc/credstore/absent, or encrypt it: systemd-creds encrypt --name=absent`, 257},
		{"sealed", `/run/secrets/key in the container: systemd 249 cannot decrypt the credential "sealed" (write it to /etc/credstore/sealed)`, 249},
		{"large", "larger than 500 KiB", 257},
	} {
		c := &spec.Container{Files: []spec.File{{Target: "/etc/plain", Path: "/x"}, {Target: "/run/secrets/key", Credential: test.name}}, Unit: set}
		err := Credentials(root, c, test.version, []string{"given"})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("Credentials(%s) for systemd %d = %v, want %q", test.name, test.version, err, test.want)
		}
	}
	c := &spec.Container{Credentials: []string{"plain", "both", "sealed", "absent"}}
	if got := EncryptedCredentials(root, c); !slices.Equal(got, []string{"sealed"}) {
		t.Errorf("EncryptedCredentials() = %q, want sealed", got)
	}
}
