package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/gpu"
	"github.com/dockhost/dockhost/internal/scripttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dockhostctl": func() {
		os.Exit(Execute(context.Background(), os.Args[1:], scriptHost(os.Getenv("WORK"))))
	}})
}

// TestScripts runs dockhostctl as a program. The command agent DIR starts an
// agent that answers "GET /v1/status" with the file DIR/GET_v1_status: the
// HTTP status on the first line, and the body.
func TestScripts(t *testing.T) {
	scripttest.Run(t, testscript.Params{Cmds: map[string]func(*testscript.TestScript, bool, []string){"agent": startAgent}})
}

// scriptHost returns a host whose state is in files of a script: agent.sock,
// without-agent.json for what systemd and Docker know, and gpu.json.
func scriptHost(dir string) Host {
	return Host{
		Version:            "1.2.3 (commit abc, today)",
		Socket:             filepath.Join(dir, "agent.sock"),
		StatusWithoutAgent: func(context.Context) (api.Status, error) { return load[api.Status](dir, "without-agent.json") },
		GPUs:               func() (gpu.Report, error) { return load[gpu.Report](dir, "gpu.json") },
		Interactive:        os.Getenv("INTERACTIVE") != "",
		In:                 os.Stdin,
		Out:                os.Stdout,
		Err:                os.Stderr,
	}
}

func load[T any](dir, name string) (v T, err error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return v, fmt.Errorf("no %s in this script", name)
	}
	return v, json.Unmarshal(text, &v)
}

func startAgent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: agent DIR")
	}
	listener, err := net.Listen("unix", ts.MkAbs("agent.sock"))
	ts.Check(err)
	answers := ts.MkAbs(args[0])
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := os.ReadFile(filepath.Join(answers, r.Method+strings.ReplaceAll(r.URL.Path, "/", "_")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotImplemented)
			return
		}
		status, body, _ := bytes.Cut(text, []byte("\n"))
		var code int
		fmt.Sscan(string(status), &code)
		w.WriteHeader(code)
		w.Write(body)
	})}
	go server.Serve(listener)
	ts.Defer(func() { server.Close() })
}
