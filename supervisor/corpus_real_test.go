//go:build e2e_engine

package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/mount"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/compose"
	"github.com/dockhost/dockhost/supervisor/placement"
)

const (
	corpusFile = "compose.yaml"
	// sample is of how many projects one is tried: each takes about two seconds.
	sample = 4
)

// TestRealCorpus runs on a test host, to which test/e2e copies it. $TEST_CORPUS has the
// projects, and $TEST_IMAGE is an image that stands for all of theirs. The test creates
// the containers of each project by docker compose and by the supervisor's own code, and
// compares what Docker has then. Nothing starts.
func TestRealCorpus(t *testing.T) {
	client, err := engine.New(engine.Options{Host: os.Getenv("DOCKER_HOST")})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	dirs, err := filepath.Glob(filepath.Join(os.Getenv("TEST_CORPUS"), "*", corpusFile))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("%s has no projects: %v", os.Getenv("TEST_CORPUS"), err)
	}
	dirs = slices.DeleteFunc(dirs, func(file string) bool { return strings.HasPrefix(filepath.Base(filepath.Dir(file)), "refused-") })
	counts, tried := map[string]int{}, 0
	for i := 0; i < len(dirs); i += sample {
		tried++
		p := &corpusProject{dir: filepath.Dir(dirs[i]), engine: client}
		t.Run(p.name(), func(t *testing.T) { counts[p.compare(t)]++ })
	}
	t.Logf("projects: %v", counts)
	if counts[compared] < tried/3 {
		t.Errorf("%v, want at least a third of %d compared", counts, tried)
	}
}

// What compare has done.
const (
	compared = "compared"
	// createdOnly is for a project that the host's docker compose does not take.
	createdOnly = "created only"
)

// corpusProject is one project of the corpus.
type corpusProject struct {
	dir    string
	engine *engine.Client
}

func (p *corpusProject) name() string { return filepath.Base(p.dir) }

// compare creates the containers of the project by both, and reports the differences.
func (p *corpusProject) compare(t *testing.T) string {
	t.Helper()
	t.Cleanup(func() { shell(t, p.dir, removeAll) })
	assignment := p.parse(t)
	for _, c := range assignment.Containers {
		if c.Platform != "" && c.Platform != "linux/"+runtime.GOARCH {
			t.Skipf("%s is for %s", c.Name, c.Platform)
		}
	}
	p.supplyExternal(t, assignment)
	want, taken := p.createByCompose(t)
	got := p.create(t, assignment)
	if !taken {
		return createdOnly
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		for _, difference := range inspectDifferences(want[name], got[name]) {
			t.Errorf("%s: %s", name, difference)
		}
	}
	if len(want) != len(got) {
		t.Errorf("Compose creates %q, dockhost %q", slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
	}
	return compared
}

// removeAll removes all that either of them created: the host belongs to the test.
const removeAll = `ids=$(docker ps -aq); [ -z "$ids" ] || docker rm -f -v $ids
	networks=$(docker network ls -q --filter type=custom); [ -z "$networks" ] || docker network rm $networks
	volumes=$(docker volume ls -q); [ -z "$volumes" ] || docker volume rm $volumes`

// parse reads the project as the agent does.
func (p *corpusProject) parse(t *testing.T) *spec.Assignment {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, corpusFile))
	if err != nil {
		t.Fatal(err)
	}
	node, err := document.Parse(corpusFile, text)
	if err != nil {
		t.Fatal(err)
	}
	dir := compose.Directory{Path: p.dir, Files: os.DirFS(p.dir)}
	assignment, err := compose.ParseFile(document.File(corpusFile), node, compose.ProjectName(p.name()), dir)
	if err != nil {
		t.Fatal(err)
	}
	return assignment
}

// activeProfiles finds the profiles that a file activates for dockhost.
var activeProfiles = regexp.MustCompile(`(?m)^x-dockhost:\n  profiles: \[(.*)\]$`)

func (p *corpusProject) profiles(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, corpusFile))
	if err != nil {
		t.Fatal(err)
	}
	if found := activeProfiles.FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return ""
}

// supplyExternal creates the images of the project, and what is there before it.
func (p *corpusProject) supplyExternal(t *testing.T, assignment *spec.Assignment) {
	t.Helper()
	var script strings.Builder
	for _, c := range assignment.Containers {
		fmt.Fprintf(&script, "docker tag %s '%s'\n", os.Getenv("TEST_IMAGE"), strings.Split(c.Image, "@")[0])
		for _, m := range c.HostConfig.Mounts {
			if m.Type == mount.TypeBind {
				fmt.Fprintf(&script, "[ -e '%[1]s' ] || mkdir -p '%[1]s'\n", m.Source)
			}
		}
		for _, n := range c.Networks {
			if n.External {
				fmt.Fprintf(&script, "docker network inspect '%[1]s' || docker network create '%[1]s'\n", n.Name)
			}
		}
		for _, v := range c.Volumes {
			if v.External {
				fmt.Fprintf(&script, "docker volume create '%s'\n", v.Name)
			}
		}
	}
	shell(t, p.dir, "{ "+script.String()+"} 2>&1")
}

// createByCompose returns the containers that docker compose creates, by the names of
// their services. It is false if Compose does not take the file.
func (p *corpusProject) createByCompose(t *testing.T) (map[string]inspected, bool) {
	t.Helper()
	// Compose 2 would pull what pull_policy says.
	command := exec.CommandContext(t.Context(), "sh", "-c", `case $(docker-compose version --short) in 1.*) pull= ;; *) pull="--pull never" ;; esac
		docker-compose -f `+corpusFile+` up --no-start $pull 2>&1`)
	command.Dir, command.Env = p.dir, append(os.Environ(), "COMPOSE_PROFILES="+p.profiles(t))
	if out, err := command.CombinedOutput(); err != nil {
		t.Logf("docker compose: %v: %s", err, out)
		shell(t, p.dir, removeContainers)
		return nil, false
	}
	containers := inspectAll(t, "com.docker.compose.service")
	shell(t, p.dir, removeContainers)
	return containers, true
}

// removeContainers removes the containers of Compose with the networks and volumes that
// dockhost makes too.
const removeContainers = `docker rm -f -v $(docker ps -aq) 2>/dev/null
	docker network rm $(docker network ls -q --filter label=com.docker.compose.project) 2>/dev/null
	docker volume rm $(docker volume ls -q --filter label=com.docker.compose.project) 2>/dev/null
	true`

// create creates the containers as their supervisors do, and returns them by name.
func (p *corpusProject) create(t *testing.T, assignment *spec.Assignment) map[string]inspected {
	t.Helper()
	dir := rundir.Dir(t.TempDir())
	if err := makeRuntimeDir(dir.RuntimeDir()); err != nil {
		t.Fatal(err)
	}
	waiting := slices.Clone(assignment.Containers)
	for len(waiting) > 0 {
		var later []spec.Container
		for _, c := range waiting {
			depends := func(other spec.Container) bool {
				return slices.ContainsFunc(c.DependsOn, func(d spec.Dependency) bool { return d.Name == other.Name })
			}
			if slices.ContainsFunc(waiting, depends) {
				later = append(later, c)
			} else if err := p.createOne(t.Context(), dir, &c); err != nil && strings.Contains(err.Error(), "your kernel does not support") {
				t.Skipf("%s: %v", c.Name, err)
			} else if err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
		if len(later) == len(waiting) {
			t.Fatalf("%d containers wait for each other", len(later))
		}
		waiting = later
	}
	return inspectAll(t, "dockhost.unit")
}

func (p *corpusProject) createOne(ctx context.Context, dir rundir.Dir, c *spec.Container) error {
	o := Options{Container: c, Dir: dir, Engine: p.engine, Notify: &fakeNotifier{}, Log: zap.NewNop()}
	s := New(o)
	s.unit.name, s.unit.cgroup = spec.UnitName(c.Name), "/system.slice/"+spec.UnitName(c.Name)
	image, err := p.engine.Image(ctx, c.Image)
	if err != nil {
		return err
	}
	made, err := s.maker.create(ctx, creation{image: image})
	return errors.Join(err, placement.Remove(dir.RuntimeDir(), made.id))
}

// inspected is what docker inspect says, one value for each path.
type inspected map[string]string

// inspectAll returns the containers with a label, by their services.
func inspectAll(t *testing.T, label string) map[string]inspected {
	t.Helper()
	out := shell(t, "", "ids=$(docker ps -aq --no-trunc --filter label="+label+"); if [ -z \"$ids\" ]; then echo []; else docker inspect $ids; fi")
	var all []map[string]any
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("docker inspect: %v: %s", err, out)
	}
	containers := map[string]inspected{}
	for _, c := range all {
		labels := c["Config"].(map[string]any)["Labels"].(map[string]any)
		name, _ := labels[label].(string)
		name = strings.TrimSuffix(strings.TrimPrefix(name, "dockhost@"), ".service")
		containers[name] = inspectedFrom(c, name)
	}
	return containers
}

// inspectedFrom leaves out what is another one for each container.
func inspectedFrom(c map[string]any, name string) inspected {
	config := c["Config"].(map[string]any)
	if id, _ := c["Id"].(string); strings.HasPrefix(id, fmt.Sprint(config["Hostname"])) {
		delete(config, "Hostname")
	}
	for label := range config["Labels"].(map[string]any) {
		if strings.HasPrefix(label, "com.docker.compose.") || strings.HasPrefix(label, "dockhost.") || strings.HasPrefix(label, "desktop.") {
			delete(config["Labels"].(map[string]any), label)
		}
	}
	flat := inspected{}
	flat.add("Config", config)
	flat.add("HostConfig", c["HostConfig"])
	flat.add("Platform", c["Platform"])
	for _, mount := range c["Mounts"].([]any) {
		m := mount.(map[string]any)
		flat.addMount(m)
	}
	for network, endpoint := range c["NetworkSettings"].(map[string]any)["Networks"].(map[string]any) {
		e := endpoint.(map[string]any)
		e["Aliases"] = otherAliases(c, e["Aliases"], name)
		for _, key := range []string{"EndpointID", "NetworkID", "DNSNames", "IPAddress", "Gateway", "IPv6Gateway"} {
			delete(e, key)
		}
		flat["Networks."+network] = "connected"
		flat.add("Networks."+network, e)
	}
	return flat
}

// otherAliases returns the aliases under which the container is known besides the name of
// its service and its own name and id, which Docker adds at the start.
func otherAliases(c map[string]any, aliases any, service string) []any {
	list, _ := aliases.([]any)
	container := strings.TrimPrefix(c["Name"].(string), "/")
	return slices.DeleteFunc(slices.Clone(list), func(alias any) bool {
		return alias == service || alias == container || strings.HasPrefix(c["Id"].(string), alias.(string))
	})
}

// addMount adds what a container sees of a mount.
func (flat inspected) addMount(m map[string]any) {
	source := m["Source"]
	if m["Type"] == "volume" {
		source = m["Name"]
	}
	if volume := regexp.MustCompile(`^([0-9a-f]{64}|.*__.*)$`); m["Type"] == "volume" && volume.MatchString(fmt.Sprint(source)) {
		source = "its own volume"
	}
	target := fmt.Sprint(m["Destination"])
	if strings.HasPrefix(target, "/run/secrets/") || strings.Contains(fmt.Sprint(source), "/files/") {
		source = "a secret or config"
	}
	flat["Mounts."+target] = fmt.Sprint(m["Type"], " ", source, " writable: ", m["RW"], " ", m["Propagation"])
}

// add adds the values below a path. What is empty is left out: Docker makes no
// difference.
func (flat inspected) add(path string, value any) {
	if fields, ok := value.(map[string]any); ok {
		for name, below := range fields {
			flat.add(path+"."+name, below)
		}
		return
	}
	list, ok := value.([]any)
	if !ok {
		if text := fmt.Sprint(value); value != nil && text != "" && text != "0" && text != "false" {
			flat[path] = text
		}
		return
	}
	var items []string
	for _, item := range list {
		raw, _ := json.Marshal(item)
		items = append(items, strings.Replace(string(raw), `"CAP_`, `"`, 1))
	}
	if !strings.HasSuffix(path, ".Cmd") && !strings.HasSuffix(path, ".Entrypoint") && !strings.HasSuffix(path, ".Test") {
		slices.Sort(items)
	}
	if len(items) > 0 {
		flat[path] = strings.Join(items, ", ")
	}
}

// shell runs a script in a directory, and returns its standard output.
func shell(t *testing.T, dir, script string) string {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", script)
	command.Dir = dir
	out, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Fatalf("%s: %v: %s %v", script, err, out, exit)
	}
	return string(out)
}
