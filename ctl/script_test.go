package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/doctor"
	"github.com/dockhost/dockhost/doctor/bugreport"
	"github.com/dockhost/dockhost/gpu"
	"github.com/dockhost/dockhost/internal/scripttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dockhostctl": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		os.Exit(Execute(ctx, os.Args[1:], scriptHost(os.Getenv("WORK"))))
	}})
}

// TestScripts runs dockhostctl as a program. The command agent DIR starts an
// agent that answers "GET /v1/status" with the file DIR/GET_v1_status: the
// HTTP status on the first line, and the body. Words after the HTTP status:
//
//	hang        does not end the answer
//	die         closes the connection after the body, like an agent that is killed
//	then FILE   answers the next of these requests with FILE, which stands in DIR
//
// The command requests DIR PATTERN waits until the agent has answered a request whose
// method, path and body match the pattern.
func TestScripts(t *testing.T) {
	scripttest.Run(t, testscript.Params{Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"agent": startAgent, "requests": awaitRequest,
	}})
}

// scriptHost returns a host whose state is in files of a script: agent.sock,
// without-agent.json for what systemd and Docker know, gpu.json,
// doctor.json and bugreport.json, and usage.json for what cgroups use.
func scriptHost(dir string) Host {
	return Host{
		Version:            "1.2.3 (commit abc, today)",
		Socket:             filepath.Join(dir, "agent.sock"),
		StatusWithoutAgent: func(context.Context) (api.Status, error) { return load[api.Status](dir, "without-agent.json") },
		Details:            func(context.Context, api.Container) api.Details { return detailsOf(dir) },
		Usage: func(c api.Container) (api.Usage, bool) {
			usage, _ := load[map[string]api.Usage](dir, "usage.json")
			u, exists := usage[c.Cgroup]
			return u, exists
		},
		Become: func(command ...string) error { return execIn(dir, command) },
		Width:  func() int { width, _ := strconv.Atoi(os.Getenv("WIDTH")); return width },
		GPUs:   func() (gpu.Report, error) { return load[gpu.Report](dir, "gpu.json") },
		Diagnose: func(context.Context, func(context.Context) (api.Status, error), []doctor.Check) (doctor.Report, error) {
			return load[doctor.Report](dir, "doctor.json")
		},
		Bugreport: func(context.Context, func(context.Context) (api.Status, error)) (bugreport.Report, error) {
			return load[bugreport.Report](dir, "bugreport.json")
		},
		Settings:      func(bool) ([]Setting, error) { return load[[]Setting](dir, "settings.json") },
		ContainersDir: filepath.Join(dir, "containers"),
		Exec: func(_ context.Context, r ExecRequest) (int, error) {
			fmt.Println(r.ID, r.Command, r.User)
			return 7, nil
		},
		Interactive: os.Getenv("INTERACTIVE") != "",
		In:          os.Stdin,
		Out:         os.Stdout,
		Err:         os.Stderr,
	}
}

func load[T any](dir, name string) (v T, err error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return v, fmt.Errorf("no %s in this script", name)
	}
	return v, json.Unmarshal(text, &v)
}

// detailsOf returns the details that a script has, without any error.
func detailsOf(dir string) api.Details {
	details, _ := load[api.Details](dir, "details.json")
	return details
}

// execIn prints the command that would replace the program.
func execIn(dir string, command []string) error {
	if _, err := os.Stat(filepath.Join(dir, "no-programs")); err == nil {
		return fmt.Errorf("run %s: not found", command[0])
	}
	fmt.Println("exec:", strings.Join(command, " "))
	return nil
}

func startAgent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: agent DIR")
	}
	listener, err := net.Listen("unix", ts.MkAbs("agent.sock"))
	ts.Check(err)
	answers := fileAgent(ts.MkAbs(args[0]))
	server := &http.Server{Handler: answers}
	go server.Serve(listener)
	ts.Defer(func() { server.Close() })
}

// requestLog is the file in the directory of an agent that lists what it was asked.
const requestLog = "requests"

func awaitRequest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: requests DIR PATTERN")
	}
	want, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	file := filepath.Join(ts.MkAbs(args[0]), requestLog)
	for deadline := time.Now().Add(time.Minute); ; {
		text, err := os.ReadFile(file)
		if err == nil && want.Match(text) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the agent was asked %q, %v, want %s", text, err, want)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// fileAgent is the directory from which an agent answers.
type fileAgent string

func (a fileAgent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file := filepath.Join(string(a), r.Method+strings.ReplaceAll(r.URL.Path, "/", "_"))
	text, err := os.ReadFile(file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotImplemented)
		return
	}
	head, body, _ := bytes.Cut(text, []byte("\n"))
	words := strings.Fields(string(head))
	code, _ := strconv.Atoi(words[0])
	if i := slices.Index(words, "then"); i > 0 {
		os.Rename(filepath.Join(string(a), words[i+1]), file)
	}
	w.WriteHeader(code)
	w.Write(body)
	http.NewResponseController(w).Flush()
	a.log(r)
	switch {
	case slices.Contains(words, "hang"):
		<-r.Context().Done()
	case slices.Contains(words, "die"):
		panic(http.ErrAbortHandler)
	}
}

func (a fileAgent) log(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	file, err := os.OpenFile(filepath.Join(string(a), requestLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return // the script has ended
	}
	defer file.Close()
	fmt.Fprintf(file, "%s %s %s\n", r.Method, r.URL.Path, body)
}
