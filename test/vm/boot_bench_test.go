//go:build vm

package vm

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	boots   = flag.Int("boots", 0, "how often TestBootTimes boots each way; 0 is not at all")
	cpus    = flag.String("cpus", "1", "the `number` of processors of TestBootTimes; only with one does the clock count instructions")
	results = flag.String("results", "", "the `file` that TestBootTimes adds what it measures to, and reports on")
	plot    = flag.String("plot", "", "the `file` that TestBootTimes leaves a plot of an early boot in")
)

// way is a way to have the container run once the machine is up.
type way struct {
	key, name string
	// userData is for cloud-init and for dockhost.
	userData string
	// off are units that are there for other ways: they are masked.
	off []string
	// early has Docker and dockhost start early.
	early bool
	// ready is the unit that is active once the container is, if it tells.
	ready string
}

// kernel are the arguments for the kernel.
func (w *way) kernel() string {
	arguments := "systemd.mask=" + strings.Join(w.off, " systemd.mask=")
	if w.early {
		arguments += " dockhost.early"
	}
	return arguments
}

// The units of the image, by whose way they are.
var (
	ofDockhost = []string{"dockhost.service", "dockhost.socket"}
	ofQuadlet  = []string{"quadlet.service"}
	ofDocker   = []string{"docker.service", "docker.socket", "containerd.service"}
)

const (
	dockerRun = "docker run -d --name app --no-healthcheck -p 8080:8080 " + preloaded + " -first-answer"
	// articleUnit is the plain unit that many have written, less its docker
	// pull: there is no registry to ask.
	articleUnit = `#cloud-config
write_files:
- path: /etc/systemd/system/app.service
  content: |
    [Unit]
    Description=MyApp
    After=docker.service
    Requires=docker.service

    [Service]
    TimeoutStartSec=0
    ExecStartPre=-/usr/bin/docker kill app
    ExecStartPre=-/usr/bin/docker rm app
    ExecStart=/usr/bin/docker run --name app --no-healthcheck -p 8080:8080 ` + preloaded + ` -first-answer

    [Install]
    WantedBy=multi-user.target
runcmd:
- systemctl enable --now app.service
`
)

func ways() []*way {
	assigned := app(preloaded, "command: [-first-answer]", "healthcheck: {disable: true}")
	const none = "#cloud-config\n"
	notOfDocker := slices.Concat(ofQuadlet, ofDockhost)
	return []*way{
		{key: "dockhost", name: "dockhost", userData: assigned, off: ofQuadlet, ready: "dockhost@app.service"},
		{key: "early", name: "dockhost, early boot", userData: assigned, off: ofQuadlet, ready: "dockhost@app.service", early: true},
		{key: "runcmd", name: "cloud-init's runcmd", userData: none + "runcmd:\n- " + dockerRun + "\n", off: notOfDocker},
		{key: "unit", name: "a plain unit, by cloud-init", userData: articleUnit, off: notOfDocker},
		{key: "quadlet", name: "a Podman quadlet", userData: none, off: slices.Concat(ofDockhost, ofDocker), ready: "quadlet.service"},
	}
}

// bootTimes are the seconds from the kernel's start; 0 is what a way has not
// got. Starts are those once the machine was up.
type bootTimes struct {
	Way                                string
	Userspace, Docker, Ready, Answered float64
	Starts, DockerRuns                 []float64 `json:",omitempty"`
}

// TestBootTimes boots all ways in turns, each time as a new instance, and
// prints when their containers answered. No number fails it.
func TestBootTimes(t *testing.T) {
	if *boots == 0 || *results == "" {
		t.Skip("no -boots and -results (run: make bench-boot)")
	}
	for i := range *boots {
		for _, w := range ways() {
			t.Run(fmt.Sprintf("%s-%d", w.key, i+1), func(t *testing.T) {
				disc := newDisc(t, fmt.Sprintf("i-%d", i), w.userData)
				m := boot(t, newDisk(t), settings{disc: disc, kernel: w.kernel(), cpus: *cpus})
				at := m.measure(w)
				if w.early && *plot != "" && i == 0 {
					m.plot()
				}
				if w.key == "dockhost" && i == *boots-1 {
					m.measureStarts(&at)
				}
				keep(t, at)
			})
		}
	}
	report(os.Stdout, ways(), kept(t))
}

// keep adds to the results.
func keep(t *testing.T, at bootTimes) {
	t.Helper()
	file, err := os.OpenFile(*results, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := json.NewEncoder(file).Encode(at); err != nil {
		t.Fatal(err)
	}
}

// kept returns the results.
func kept(t *testing.T) []bootTimes {
	t.Helper()
	file, err := os.Open(*results)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []bootTimes
	for in := json.NewDecoder(file); in.More(); {
		var at bootTimes
		if err := in.Decode(&at); err != nil {
			t.Fatal(err)
		}
		all = append(all, at)
	}
	return all
}

// measure waits until the container answers, and reads when it first did.
func (m *machine) measure(w *way) bootTimes {
	m.Helper()
	at := bootTimes{Way: w.key}
	// One process, which asks once a second, is all that the machine has from us.
	out := m.run("curl -sS -m 5 --retry 900 --retry-delay 1 --retry-all-errors -f http://127.0.0.1:8080/first-answer 2>/dev/null")
	var err error
	if at.Answered, err = strconv.ParseFloat(out, 64); err != nil {
		m.Fatalf("/first-answer: %s", out)
	}
	if w.ready != "" {
		m.eventually(func() string {
			if state := m.property(w.ready, "ActiveState"); state != "active" {
				return w.ready + " is " + state
			}
			return ""
		})
		at.Ready = float64(m.since(w.ready)) / 1e6
	}
	at.Docker = float64(m.since("docker.service")) / 1e6
	us, err := strconv.ParseFloat(m.run("systemctl show --value -p UserspaceTimestampMonotonic"), 64)
	if err != nil {
		m.Fatal(err)
	}
	at.Userspace = us / 1e6
	m.Logf("%+v", at)
	return at
}

// startsEach is how often the unit and docker run start the container.
const startsEach = 5

// measureStarts starts the container by its unit, and by docker run, in turns,
// once the machine is up.
func (m *machine) measureStarts(at *bootTimes) {
	m.Helper()
	m.try("systemctl is-system-running --wait")
	for range startsEach {
		out := m.run(`
timed() { local began=${EPOCHREALTIME/./}; "$@" >/dev/null; echo $((${EPOCHREALTIME/./} - began)); }
systemctl stop dockhost@app
timed systemctl start dockhost@app
systemctl stop dockhost@app
timed ` + dockerRun + `
docker rm -f app >/dev/null
systemctl start dockhost@app`)
		var unit, run float64
		if _, err := fmt.Sscan(out, &unit, &run); err != nil {
			m.Fatalf("%v: %s", err, out)
		}
		at.Starts, at.DockerRuns = append(at.Starts, unit/1e6), append(at.DockerRuns, run/1e6)
	}
	m.Logf("started by the unit: %v, by docker run -d: %v", at.Starts, at.DockerRuns)
}

// plot keeps what systemd has of this boot, once it is over.
func (m *machine) plot() {
	m.Helper()
	m.try("systemctl is-system-running --wait")
	m.Log("what the container waited for:\n" + m.run("systemd-analyze critical-chain dockhost@app.service --no-pager"))
	if err := os.MkdirAll(filepath.Dir(*plot), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(*plot, []byte(m.run("systemd-analyze plot")), 0o644); err != nil {
		m.Fatal(err)
	}
}
