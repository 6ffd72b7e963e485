// Package scripttest has what testscript lacks for tests of whole programs.
package scripttest

import (
	"errors"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Run runs the scripts in testdata/script. A script can use one more command
// than testscript has: exits STATUS PROGRAM [ARG...] runs a program and checks
// its exit status.
func Run(t *testing.T, params testscript.Params) {
	t.Helper()
	params.Dir = "testdata/script"
	params.RequireExplicitExec = true
	params.RequireUniqueNames = true
	if params.Cmds == nil {
		params.Cmds = map[string]func(*testscript.TestScript, bool, []string){}
	}
	params.Cmds["exits"] = exits
	testscript.Run(t, params)
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit interface{ ExitCode() int }
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
