package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dockhost/dockhost/internal/scripttest"
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
