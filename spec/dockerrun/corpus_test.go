package dockerrun

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/flags"
	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mattn/go-shellwords"
	"github.com/spf13/pflag"

	"github.com/dockhost/dockhost/spec"
)

// smallestCorpus is how many command lines there are at least.
const smallestCorpus = 60

// corpusOutcome is what a program does with a command line: a container and hints, or an
// error.
type corpusOutcome struct {
	container *spec.Container
	hints     []string
	err       error
}

// corpusRun does what `dockhost run` does.
func corpusRun(args []string) corpusOutcome {
	var hints []string
	c, err := Parse(args, Options{Hint: func(text string) { hints = append(hints, text) }})
	return corpusOutcome{container: c, hints: hints, err: err}
}

// corpusCtl does what `dockhostctl run` does.
func corpusCtl(args []string) corpusOutcome {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.Bool("no-block", false, "")
	c, err := Parse(args, Options{Program: "dockhostctl run", Flags: own, WritesUnit: true})
	if err == nil && c.Name == "" {
		err = errors.New("--name is missing: it names the container and its unit (add it before the image)")
	}
	return corpusOutcome{container: c, err: err}
}

// corpusOld does what systemd-docker does.
func corpusOld(args []string) corpusOutcome {
	c, err := SystemdDocker(args, Options{Environ: []string{"PATH=/bin", "LEVEL=info"}})
	return corpusOutcome{container: c, err: err}
}

// String says what happened in the words of the corpus.
func (o corpusOutcome) String() string {
	switch {
	case o.err != nil:
		return "refused " + o.err.Error()
	case len(o.hints) > 0:
		return "hint " + strings.Join(o.hints, "; ")
	case o.container.Restart != "":
		return "taken Restart=" + o.container.Restart
	}
	return "taken"
}

// is reports whether an outcome is the one that the corpus wants: texts of hints and
// problems need only occur.
func (o corpusOutcome) is(want string) bool {
	verb, text, _ := strings.Cut(want, " ")
	got, said, _ := strings.Cut(o.String(), " ")
	if verb == "taken" {
		return want == o.String()
	}
	return verb == got && strings.Contains(said, text)
}

// corpusLine is a command line with what each program does with it.
type corpusLine struct {
	program  string
	args     []string
	outcomes map[string]string
}

// corpusText is part of the test, which also runs on a host without the sources.
//
//go:embed testdata/corpus.txt
var corpusText string

// readCorpus reads the format that corpus.txt describes at its top.
func readCorpus(t *testing.T) []corpusLine {
	t.Helper()
	var lines []corpusLine
	for text := range strings.Lines(strings.ReplaceAll(corpusText, "\\\n", " ")) {
		switch who, want, _ := strings.Cut(strings.TrimSpace(text), " "); {
		case who == "" || who[0] == '#':
		case text[0] != '\t':
			lines = append(lines, parseLine(t, text))
		case who == "both":
			lines[len(lines)-1].outcomes["run"], lines[len(lines)-1].outcomes["ctl"] = want, want
		default:
			lines[len(lines)-1].outcomes[who] = want
		}
	}
	return lines
}

// shellComment is what stands in public command lines for one that goes over several
// lines: a shell replaces it by nothing.
var shellComment = regexp.MustCompile("`#[^`]*`")

func parseLine(t *testing.T, text string) corpusLine {
	t.Helper()
	words, err := shellwords.Parse(shellComment.ReplaceAllString(text, ""))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	line := corpusLine{program: words[0], args: words[1:], outcomes: map[string]string{}}
	if line.program == "docker" {
		line.args = words[2:]
	}
	return line
}

// TestCorpus holds each command line to its outcome, and what is taken to what
// Docker's own CLI asks the Engine for.
func TestCorpus(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	lines := readCorpus(t)
	if len(lines) < smallestCorpus {
		t.Errorf("the corpus has %d command lines, want %d", len(lines), smallestCorpus)
	}
	for _, line := range lines {
		for _, finding := range judgeLine(t, line) {
			t.Error(finding)
		}
	}
}

// judgeLine returns what dockhost does with a command line that it should not do.
func judgeLine(t *testing.T, line corpusLine) []string {
	t.Helper()
	programs := map[string]func([]string) corpusOutcome{"run": corpusRun, "ctl": corpusCtl}
	if line.program != "docker" {
		programs = map[string]func([]string) corpusOutcome{"run": corpusOld}
	}
	if len(programs) != len(line.outcomes) {
		t.Fatalf("%q has %d outcomes, want %d", line.args, len(line.outcomes), len(programs))
	}
	var findings []string
	for name, parse := range programs {
		got, want := parse(line.args), line.outcomes[name]
		if !got.is(want) {
			findings = append(findings, fmt.Sprintf("%s %q: want %s, got %s", name, line.args, want, got))
		}
		if got.err != nil || line.program != "docker" {
			continue
		}
		if diff := compareWithDocker(t, parse, line.args); diff != "" {
			findings = append(findings, fmt.Sprintf("%s %q is not what docker run -d asks for (-docker +dockhost):\n%s", name, line.args, diff))
		}
	}
	return findings
}

// sentRequest is what an Engine is asked to create.
type sentRequest struct {
	Name, Platform string
	*containertypes.Config
	HostConfig       *containertypes.HostConfig
	NetworkingConfig *network.NetworkingConfig
}

// compareWithDocker returns how a container differs from what Docker's CLI sends.
func compareWithDocker(t *testing.T, parse func([]string) corpusOutcome, args []string) string {
	t.Helper()
	want, err := dockerSends(t, args)
	if err != nil {
		return "docker run refuses it: " + err.Error()
	}
	if want.HostConfig.DeviceRequests != nil {
		// Otherwise dockhost gives the GPUs by itself.
		args = append([]string{"--gpu-opt", "mode=docker"}, args...)
	}
	got := parse(args)
	if got.err != nil {
		return got.err.Error()
	}
	c := got.container
	// systemd restarts the container, the supervisor removes it, and dockhost's own
	// runtime calls the one that is asked for.
	runtime := want.HostConfig.Runtime
	want.HostConfig.RestartPolicy = containertypes.RestartPolicy{Name: containertypes.RestartPolicyDisabled}
	want.HostConfig.AutoRemove, want.HostConfig.Runtime = false, ""
	(&request{config: want.Config, host: want.HostConfig}).sort()
	api, engine := newAnyEngine(t)
	if _, err := api.ContainerCreate(t.Context(), c.Config, c.HostConfig, c.Networking, nil, c.Name); err != nil {
		return err.Error()
	}
	engine.created.Platform = c.Platform
	return gocmp.Diff(want, engine.created, cmpopts.EquateEmpty()) + gocmp.Diff(runtime, c.Runtime)
}

// dockerSends has Docker's own CLI run `docker run -d ARGS` on an Engine that takes
// all requests.
func dockerSends(t *testing.T, args []string) (*sentRequest, error) {
	t.Helper()
	api, engine := newAnyEngine(t)
	docker, err := command.NewDockerCli(command.WithAPIClient(api), command.WithCombinedStreams(io.Discard), command.WithInputStream(io.NopCloser(&bytes.Buffer{})))
	if err == nil {
		err = docker.Initialize(flags.NewClientOptions())
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := newCommand(docker)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"-d"}, args...))
	cmd.SetContext(t.Context())
	if err := cmd.Execute(); err != nil || engine.created == nil {
		return nil, cmp.Or(err, errors.New("nothing was created"))
	}
	return engine.created, nil
}

// anyEngine is an Engine that takes all requests, and does nothing.
type anyEngine struct{ created *sentRequest }

func newAnyEngine(t *testing.T) (*client.Client, *anyEngine) {
	t.Helper()
	engine := &anyEngine{}
	api, err := client.NewClientWithOpts(client.WithHTTPClient(&http.Client{Transport: engine}), client.WithVersion("1.51"))
	if err != nil {
		t.Fatal(err)
	}
	return api, engine
}

// RoundTrip answers a request.
func (e *anyEngine) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Ostype": {"linux"}}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
	if strings.HasSuffix(r.URL.Path, "/containers/create") {
		e.created = &sentRequest{Name: r.URL.Query().Get("name"), Platform: r.URL.Query().Get("platform")}
		if err := json.NewDecoder(r.Body).Decode(e.created); err != nil {
			return nil, err
		}
		answer.StatusCode, answer.Body = http.StatusCreated, io.NopCloser(strings.NewReader(`{"Id": "0123456789ab"}`))
	}
	return answer, nil
}
