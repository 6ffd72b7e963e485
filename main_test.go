package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dockhost/dockhost/internal/scripttest"
	"github.com/dockhost/dockhost/spec/dockerrun"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dockhost": main, "dockhostctl": main, "systemd-docker": main})
}

// TestScripts runs the three programs by their names.
func TestScripts(t *testing.T) {
	scripttest.Run(t, testscript.Params{})
}

// TestAsSystemdDocker checks which command lines of dockhost are read as those
// of systemd-docker.
func TestAsSystemdDocker(t *testing.T) {
	for _, test := range []struct {
		args []string
		want bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"run", "--rm", "nginx"}, false},
		{[]string{"agent"}, false},
		{[]string{"--help"}, false},
		{[]string{"-h"}, false},
		{[]string{"--version"}, false},
		{[]string{"-v"}, false},
		{[]string{"--logs=false", "run", "nginx"}, true},
		{[]string{"-logs=false", "run", "nginx"}, true},
		{[]string{"-e", "run", "nginx"}, true},
	} {
		if got := asSystemdDocker(test.args); got != test.want {
			t.Errorf("asSystemdDocker(%q) = %v, want %v", test.args, got, test.want)
		}
	}
}

func TestAccount(t *testing.T) {
	passwd := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(passwd, []byte("root:x:0:0:root:/root:/bin/bash\nbroken\ndeploy:x:1000:1000::/home/deploy:/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[int]dockerrun.Account{0: {Name: "root", Shell: "/bin/bash"}, 1000: {Name: "deploy", Shell: "/bin/sh"}, 100: {}} {
		if got := account(passwd, uid); got != want {
			t.Errorf("account(%d) = %+v, want %+v", uid, got, want)
		}
	}
}
