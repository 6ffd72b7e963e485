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
	boots   = flag.Int("boots", 0, "`number` of boots of each way in TestBootTimes; 0 skips it")
	cpus    = flag.String("cpus", "1", "`number` of processors in TestBootTimes; the clock counts instructions only with one")
	results = flag.String("results", "", "`file` to which TestBootTimes adds its results, and on which it reports")
	plot    = flag.String("plot", "", "`file` in which TestBootTimes stores a plot of an early boot")
)

// way is a way to start the container at a boot.
type way struct {
	key, name string
	// userData is the user data for cloud-init and dockhost.
	userData string
	// off are the units of other ways, which are masked.
	off []string
	// early is whether Docker and dockhost start early.
	early bool
	// ready is the unit that is active once the container is ready, if there is one.
	ready string
}

// kernel returns the arguments for the kernel.
func (w *way) kernel() string {
	arguments := "systemd.mask=" + strings.Join(w.off, " systemd.mask=")
	if w.early {
		arguments += " dockhost.early"
	}
	return arguments
}

// The units of the image, by the program that they belong to.
var (
	ofDockhost = []string{"dockhost.service", "dockhost.socket"}
	ofQuadlet  = []string{"quadlet.service"}
	ofDocker   = []string{"docker.service", "docker.socket", "containerd.service"}
)

const (
	dockerRun = "docker run -d --name app --no-healthcheck -p 8080:8080 " + preloaded + " -first-answer"
	// articleUnit is a common hand-written unit, without its docker pull: there is
	// no registry.
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

// bootTimes are times of a boot in seconds since the kernel's start. 0 means that
// the way has no such time. Starts and DockerRuns are durations of later starts.
type bootTimes struct {
	Way                                string
	Userspace, Docker, Ready, Answered float64
	Starts, DockerRuns                 []float64 `json:",omitempty"`
}

// TestBootTimes boots all ways in turns, each time as a new instance, and reports
// when their containers answered. It judges no number.
func TestBootTimes(t *testing.T) {
	if *boots == 0 || *results == "" {
		t.Skip("no -boots and -results (run: make bench-boot)")
	}
	for i := range *boots {
		for _, w := range ways() {
			t.Run(fmt.Sprintf("%s-%d", w.key, i+1), func(t *testing.T) {
				disc := newDisc(t, fmt.Sprintf("i-%d", i), w.userData)
				m := boot(t, newDisk(t), settings{disc: disc, kernel: w.kernel(), cpus: *cpus})
				times := m.measure(w)
				if w.early && *plot != "" && i == 0 {
					m.plot()
				}
				if w.key == "dockhost" && i == *boots-1 {
					m.measureStarts(&times)
				}
				appendResult(t, times)
			})
		}
	}
	report(os.Stdout, ways(), readResults(t))
}

// appendResult adds to the file of results.
func appendResult(t *testing.T, times bootTimes) {
	t.Helper()
	file, err := os.OpenFile(*results, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := json.NewEncoder(file).Encode(times); err != nil {
		t.Fatal(err)
	}
}

// readResults reads the file of results.
func readResults(t *testing.T) []bootTimes {
	t.Helper()
	file, err := os.Open(*results)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []bootTimes
	for in := json.NewDecoder(file); in.More(); {
		var times bootTimes
		if err := in.Decode(&times); err != nil {
			t.Fatal(err)
		}
		all = append(all, times)
	}
	return all
}

// measure waits until the container answers, and reads the times of the boot.
func (m *machine) measure(w *way) bootTimes {
	m.Helper()
	times := bootTimes{Way: w.key}
	// The only process of the test in the machine asks once a second.
	out := m.run("curl -sS -m 5 --retry 900 --retry-delay 1 --retry-all-errors -f http://127.0.0.1:8080/first-answer 2>/dev/null")
	var err error
	if times.Answered, err = strconv.ParseFloat(out, 64); err != nil {
		m.Fatalf("GET /first-answer: %s", out)
	}
	if w.ready != "" {
		m.eventually(func() string {
			if state := m.property(w.ready, "ActiveState"); state != "active" {
				return w.ready + " is " + state
			}
			return ""
		})
		times.Ready = float64(m.since(w.ready)) / 1e6
	}
	times.Docker = float64(m.since("docker.service")) / 1e6
	us, err := strconv.ParseFloat(m.run("systemctl show --value -p UserspaceTimestampMonotonic"), 64)
	if err != nil {
		m.Fatal(err)
	}
	times.Userspace = us / 1e6
	m.Logf("%+v", times)
	return times
}

// startsEach is the number of starts by the unit, and by docker run.
const startsEach = 5

// measureStarts starts the container by its unit and by docker run in turns, once
// the machine is up.
func (m *machine) measureStarts(times *bootTimes) {
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
		times.Starts, times.DockerRuns = append(times.Starts, unit/1e6), append(times.DockerRuns, run/1e6)
	}
	m.Logf("starts by the unit: %v, by docker run -d: %v", times.Starts, times.DockerRuns)
}

// plot stores systemd-analyze's plot of this boot.
func (m *machine) plot() {
	m.Helper()
	m.try("systemctl is-system-running --wait")
	m.Log("critical chain of the container:\n" + m.run("systemd-analyze critical-chain dockhost@app.service --no-pager"))
	if err := os.MkdirAll(filepath.Dir(*plot), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(*plot, []byte(m.run("systemd-analyze plot")), 0o644); err != nil {
		m.Fatal(err)
	}
}
