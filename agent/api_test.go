package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// infoEngine is the part of Docker that a status needs.
type infoEngine struct{}

func (infoEngine) Activity(context.Context) <-chan struct{} { return nil }

func (infoEngine) Info(context.Context) (engine.Info, error) {
	return engine.Info{Version: "26", Runtimes: map[string]string{"dockhost": "/x"}}, nil
}

func (infoEngine) Inspect(context.Context, string) (engine.Container, error) {
	return engine.Container{}, engine.ErrNotFound
}

// apiClient is a client of the socket of a running agent.
type apiClient struct {
	*testHost
	agent  *Agent
	client *http.Client
	logs   *observer.ObservedLogs
}

// serve runs an agent until the test ends. It first calls prepare with the path of the
// socket.
func (h *testHost) serve(prepare ...func(path string)) apiClient {
	h.Helper()
	socket := filepath.Join(h.root, "agent.sock")
	listener, err := OpenSocket(h.Context(), h.root, "/agent.sock", nil)
	if err != nil {
		h.Fatal(err)
	}
	for _, f := range prepare {
		f(socket)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	a := h.agent(func(o *Options) {
		o.Log = zap.New(core)
		o.Status = status.Gatherer{Root: h.root, Dir: h.units.run, Engine: infoEngine{}, Units: h.units, Runtime: "dockhost"}
	})
	ctx, cancel := context.WithCancel(h.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, listener) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	h.Cleanup(func() {
		cancel()
		transport.CloseIdleConnections()
		if err := <-ended; err != nil {
			h.Errorf("Run() = %v", err)
		}
	})
	return apiClient{testHost: h, agent: a, client: &http.Client{Transport: transport}, logs: logs}
}

// ask returns the status code and the body of the answer.
func (s apiClient) ask(method, path, body string) (int, string) {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), method, "http://agent"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	checkAnswer(s.T, request, response.StatusCode, answer)
	return response.StatusCode, string(answer)
}

// checkAnswer compares an answer with what the table of routes says about it, and so
// docs/openapi.json: its status, and its fields.
func checkAnswer(t *testing.T, request *http.Request, code int, answer []byte) {
	t.Helper()
	mux, routes := http.NewServeMux(), map[string]api.Route{}
	for _, route := range api.Routes() {
		mux.HandleFunc(route.Pattern(), http.NotFound)
		routes[route.Pattern()] = route
	}
	_, pattern := mux.Handler(request)
	route, known := routes[pattern]
	if !known {
		return
	}
	want := route.Answer
	if code != http.StatusOK {
		want = api.Refusal{}
		if !slices.Contains(route.Refusals(), code) {
			t.Errorf("%s answers %d, which the table of routes does not have", pattern, code)
		}
	}
	if want == nil || len(answer) == 0 && route.Lines {
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(reflect.New(reflect.TypeOf(want)).Interface()); err != nil {
		t.Errorf("%s answers %s, want a %T: %v", pattern, answer, want, err)
	}
}

// Each route has a handler, and no handler is without a route.
func TestEachRouteHasAHandler(t *testing.T) {
	var routes []string
	for _, route := range api.Routes() {
		routes = append(routes, route.Pattern())
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(routes)), slices.Sorted(maps.Keys((&server{}).handlers()))); diff != "" {
		t.Errorf("handlers (-routes, +handlers):\n%s", diff)
	}
}

func (s apiClient) put(c *spec.Container) (int, string) {
	s.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		s.Fatal(err)
	}
	return s.ask("PUT", "/v1/containers/"+c.Name, string(raw))
}

// progress returns all progress since a container was declared.
func (s apiClient) progress(name, accepted string) []api.Progress {
	s.Helper()
	var at api.Accepted
	if err := json.Unmarshal([]byte(accepted), &at); err != nil {
		s.Fatal(err)
	}
	code, lines := s.ask("GET", "/v1/containers/"+name+"/progress?since="+at.At.UTC().Format(time.RFC3339Nano), "")
	if code != http.StatusOK {
		s.Fatalf("progress answers %d: %s", code, lines)
	}
	var all []api.Progress
	for decoder := json.NewDecoder(strings.NewReader(lines)); decoder.More(); {
		var p api.Progress
		if err := decoder.Decode(&p); err != nil {
			s.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestDeclareByTheAPI(t *testing.T) {
	h := newTestHost(t)
	h.units.broken = map[string]string{"nginx:broken": "it broke"}
	s := h.serve()
	code, accepted := s.put(local("web", "nginx:1"))
	if code != http.StatusOK || !strings.Contains(accepted, "dockhost@web.service") {
		t.Fatalf("PUT answers %d: %s", code, accepted)
	}
	if got := s.progress("web", accepted); len(got) == 0 || !got[len(got)-1].Ready {
		t.Errorf("progress = %+v, want ready at last", got)
	}
	_, raw := s.ask("GET", "/v1/status", "")
	var hostStatus api.Status
	if err := json.Unmarshal([]byte(raw), &hostStatus); err != nil || !hostStatus.Well || len(hostStatus.Containers) != 1 || hostStatus.Containers[0].Origin != api.OriginLocal {
		t.Errorf("status = %s, %v, want a local container that is well", raw, err)
	}

	code, accepted = s.put(local("bad", "nginx:broken"))
	if code != http.StatusOK {
		t.Errorf("PUT answers %d: %s", code, accepted)
	}
	if diff := cmp.Diff([]api.Progress{{Error: "it broke; dockhost@bad.service tries again (see: journalctl -u dockhost@bad)"}}, s.progress("bad", accepted)); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	// The image of the successor is missing.
	_, accepted = s.put(local("web", "nginx:none"))
	if got := s.progress("web", accepted); !strings.Contains(got[len(got)-1].Error, "manifest unknown") {
		t.Errorf("progress = %+v, want why it is not replaced", got)
	}
	h.wantRunning(map[string]int{"web": 1, "bad": 1})

	for _, name := range []string{"web", "bad"} {
		if code, answer := s.ask("DELETE", "/v1/containers/"+name, ""); code != http.StatusOK {
			t.Errorf("DELETE %s answers %d: %s", name, code, answer)
		}
	}
	h.wantRunning(map[string]int{})
	if code, answer := s.ask("DELETE", "/v1/containers/web", ""); code != http.StatusNotFound || !strings.Contains(answer, "problems") {
		t.Errorf("DELETE answers %d: %s, want %d", code, answer, http.StatusNotFound)
	}
	if got := s.progress("web", accepted); len(got) != 1 || !strings.Contains(got[0].Error, "was removed") {
		t.Errorf("progress = %+v, want that it was removed", got)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if entries := s.logs.FilterMessage("container declared").FilterField(zap.String("by", "dockhostctl by "+me.Username)).Len(); entries != 3 {
		t.Errorf("the log has %d declarations with their user, want 3", entries)
	}
	s.wantNoSecret(raw + accepted)
}

// wantNoSecret looks for the secret in the log and in the answers.
func (s apiClient) wantNoSecret(answers string) {
	s.Helper()
	for _, entry := range s.logs.All() {
		raw, _ := json.Marshal(entry.ContextMap())
		answers += entry.Message + string(raw)
	}
	if strings.Contains(answers, "canary") {
		s.Errorf("the secret is in the log or the answers")
	}
}

// A refusal has every problem at once, and quotes no secret.
func TestDeclarationRefused(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("db postgres:1"))
	s := h.serve()
	tests := []struct {
		name     string
		change   func(c *spec.Container)
		code     int
		problems []string
	}{
		{"another name", func(c *spec.Container) { c.Name = "web"; c.Config.Hostname = "x" }, 200, nil},
		{
			"what belongs to systemd", func(c *spec.Container) {
				c.HostConfig.RestartPolicy.Name, c.HostConfig.CgroupParent, c.Runtime = "always", "/x", "dockhost"
				c.Config.Labels = map[string]string{"dockhost.unit": "canary"}
			}, 400,
			[]string{"--restart always", "--cgroup-parent", "--runtime", `--label: cannot use "dockhost.unit"`},
		},
		{
			"what belongs to a foreground", func(c *spec.Container) {
				c.Run = &spec.Run{CIDFile: "/c", PIDFile: "/p", Quiet: true, Controllers: []string{"memory"}}
			}, 400,
			[]string{"--cidfile", "--pid-file", "--logs=false", "--cgroups"},
		},
		{"no readiness", func(c *spec.Container) { c.Notify = spec.NotifyOff }, 400, []string{"--sdnotify off"}},
		{"half the output", func(c *spec.Container) { c.Run = &spec.Run{Stdout: true} }, 400, []string{"--attach"}},
		{
			"unknown values", func(c *spec.Container) {
				c.Image, c.Notify, c.PullPolicy, c.PullStallTimeout = "NO", "maybe", "often", 0
			}, 400,
			[]string{`cannot use "NO" as an image`, "--sdnotify", "--pull", "stall timeout"},
		},
		{"unit settings", func(c *spec.Container) { c.Unit = []spec.UnitSetting{{Section: "Service", Key: "User", Value: "x"}} }, 400, []string{"systemctl edit dockhost@web"}},
		{"a wrong restart policy", func(c *spec.Container) { c.Restart = "always\nExecStartPre=/x" }, 400, []string{"the declaration has an unknown Restart="}},
		{"another name that ends", func(c *spec.Container) { c.Name, c.Restart = "web", "no" }, 200, nil},
		{
			"another name with a limit", func(c *spec.Container) {
				c.Name = "web"
				c.Restart, c.Unit, _ = spec.ParseRestart("on-failure:3")
			}, 200, nil,
		},
		{"no container", func(c *spec.Container) { c.Config = nil }, 400, []string{"holds no container"}},
		{"a name of the user data", func(c *spec.Container) { c.Name = "db" }, 409, []string{`container "db" is declared elsewhere, in the user data (`}},
		{"a name that cannot be a unit's", func(c *spec.Container) { c.Name = "w" }, 400, []string{`cannot use "w"`}},
		{"too much", func(c *spec.Container) { c.Config.Env = []string{"X=" + strings.Repeat("canary", 1<<18)} }, 413, []string{"larger than"}},
		{
			"what docker run cannot say", func(c *spec.Container) {
				c.Credentials, c.Mounts = []string{"x\nExecStartPre=/bin/sh"}, []spec.Mount{{What: "/dev/sdb", Where: "/../../etc/systemd/system/evil"}}
				c.DependsOn, c.EnvFiles = []spec.Dependency{{Name: "db"}}, []spec.EnvFile{{Path: "/etc/shadow"}}
				c.Files, c.PreStop, c.Pin = []spec.File{{}}, []spec.Hook{{}}, &spec.Pin{}
			}, 400,
			[]string{"credentials cannot be declared", "mounts cannot be declared", "depends_on cannot", "env_files cannot", "files cannot", "pre_stop cannot", "pin cannot"},
		},
		{"a wrong signal", func(c *spec.Container) { c.Reload = &spec.Reload{Signal: "HUP\nX"} }, 400, []string{"--reload-signal"}},
		{
			"what has no effect", func(c *spec.Container) {
				c.HostConfig.AutoRemove, c.HostConfig.RestartPolicy = true, container.RestartPolicy{Name: "no"}
				c.Run = &spec.Run{Keep: true, Stdout: true, Stderr: true, ForwardSignals: true}
			}, 200, nil,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := local("web", "nginx:1")
			test.change(c)
			code, answer := s.put(c)
			if code != test.code {
				t.Errorf("PUT answers %d: %s, want %d", code, answer, test.code)
			}
			for _, problem := range test.problems {
				quoted, _ := json.Marshal(problem)
				if !strings.Contains(answer, strings.Trim(string(quoted), `"`)) {
					t.Errorf("PUT answers %s, want %q", answer, problem)
				}
			}
			s.wantNoSecret(answer)
		})
	}
	if code, answer := s.ask("PUT", "/v1/containers/web", `{"name": "web", "config": {"Env": {"canary": 1}}}`); code != 400 || strings.Contains(answer, "canary") {
		t.Errorf("PUT of no container answers %d: %s", code, answer)
	}
	if code, answer := s.ask("PUT", "/v1/containers/web", `{"name": "web", "newer": "canary"}`); code != 400 || !strings.Contains(answer, "systemctl restart dockhost") || strings.Contains(answer, "canary") {
		t.Errorf("PUT of an unknown field answers %d: %s", code, answer)
	}
	saved, err := h.agent().store.file.load()
	if err != nil || len(saved.Local) != 1 || saved.Local[0].Run != nil || saved.Local[0].HostConfig.AutoRemove {
		t.Errorf("saved = %+v, %v, want one container, without what has no effect", saved, err)
	}
	if code, answer := s.ask("DELETE", "/v1/containers/db", ""); code != 409 || !strings.Contains(answer, "take it out there") {
		t.Errorf("DELETE answers %d: %s, want 409", code, answer)
	}
}
