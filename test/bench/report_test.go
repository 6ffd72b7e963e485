package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// times returns samples of these numbers of milliseconds.
func times(ms ...int) samples {
	var s samples
	for _, n := range ms {
		s = append(s, time.Duration(n)*time.Millisecond)
	}
	return s
}

func TestQuantile(t *testing.T) {
	tests := []struct {
		name    string
		samples samples
		part    float64
		want    time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one", times(7), 0.75, 7 * time.Millisecond},
		{"odd", times(9, 1, 5), 0.5, 5 * time.Millisecond},
		{"even", times(4, 1, 2, 3), 0.5, 2500 * time.Microsecond},
		{"least", times(3, 1, 2), 0, time.Millisecond},
		{"most", times(3, 1, 2), 1, 3 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.samples.quantile(test.part); got != test.want {
				t.Errorf("%v.quantile(%v) = %v, want %v", test.samples, test.part, got, test.want)
			}
		})
	}
}

func TestParseMemory(t *testing.T) {
	rollup := "55d0a000-7ffc1000 ---p 00000000 00:00 0    [rollup]\nRss:     17816 kB\nPss:     11674 kB\nPss_Dirty:    5432 kB\nAnonymous:     5428 kB\nLazyFree: 0 kB\n"
	got, err := parseMemory(strings.NewReader(rollup))
	if want := (memory{rss: 17816, pss: 11674, anonymous: 5428}); err != nil || got != want {
		t.Errorf("parseMemory(%q) = %+v, %v, want %+v", rollup, got, err, want)
	}
	for _, bad := range []string{"", "Rss: 1 kB\nPss: 1 kB\n", "Rss: much kB\nPss: 1 kB\nAnonymous: 1 kB\n"} {
		if got, err := parseMemory(strings.NewReader(bad)); err == nil {
			t.Errorf("parseMemory(%q) = %+v, want an error", bad, got)
		}
	}
}

func TestParseSwitches(t *testing.T) {
	status := "Name:\tdockhost-superv\nThreads:\t7\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t4\n"
	if got, err := parseSwitches(strings.NewReader(status)); got != 154 || err != nil {
		t.Errorf("parseSwitches(%q) = %d, %v, want 154", status, got, err)
	}
	for _, bad := range []string{"", "voluntary_ctxt_switches: 1\n", "voluntary_ctxt_switches: x\nnonvoluntary_ctxt_switches: 1\n"} {
		if got, err := parseSwitches(strings.NewReader(bad)); err == nil {
			t.Errorf("parseSwitches(%q) = %d, want an error", bad, got)
		}
	}
}

func TestParseCPU(t *testing.T) {
	stat := "42 (a) (b c) S 1 42 42 0 -1 4194560 1803 0 60 0 123 45 0 0 20 0 7 0 5210 1257959424 2423"
	if got, err := parseCPU(stat); got != 1680*time.Millisecond || err != nil {
		t.Errorf("parseCPU(%q) = %v, %v, want 1.68s", stat, got, err)
	}
	for _, bad := range []string{"", "42 (a) S 1 42", strings.Replace(stat, " 123 ", " x ", 1)} {
		if got, err := parseCPU(bad); err == nil {
			t.Errorf("parseCPU(%q) = %v, want an error", bad, got)
		}
	}
}

// exampleText is what [exampleReport] prints.
const exampleText = `downtime of an update                 median        25 %        75 %       ratio        goal
docker stop, docker run -d          300.0 ms    300.0 ms    300.0 ms
an update by dockhost               330.0 ms    330.0 ms    330.0 ms        1.10     <= 1.20  stop-first, the same image

start to READY                        median        25 %        75 %       ratio        goal
docker run -d                       100.0 ms    100.0 ms    100.0 ms
docker run -d --runtime runc        110.0 ms    110.0 ms    110.0 ms        1.10              the same to Docker: this is the noise
docker run -d --runtime dockhost    120.0 ms    120.0 ms    120.0 ms        1.09     <= 1.05  to docker run -d --runtime runc
dockhost@app                        130.0 ms    130.0 ms    130.0 ms        1.30     <= 1.05
dockhost run in a unit              140.0 ms    140.0 ms    140.0 ms        1.40     <= 1.05
Podman quadlet                      150.0 ms    150.0 ms    150.0 ms        1.50

of which                           to create  to running  to the end
docker run -d                        10.0 ms     80.0 ms     10.0 ms
docker run -d --runtime runc         10.0 ms     80.0 ms     10.0 ms
docker run -d --runtime dockhost     10.0 ms     80.0 ms     10.0 ms
dockhost@app                         10.0 ms     80.0 ms     10.0 ms
dockhost run in a unit               10.0 ms     80.0 ms     10.0 ms
Podman quadlet                       10.0 ms     80.0 ms     10.0 ms

stop                                  median        25 %        75 %       ratio
docker stop, docker rm              200.0 ms    200.0 ms    200.0 ms
dockhost@app                        230.0 ms    230.0 ms    230.0 ms        1.15
dockhost run in a unit              240.0 ms    240.0 ms    240.0 ms        1.20
Podman quadlet                      250.0 ms    250.0 ms    250.0 ms        1.25

crash to READY                        median        25 %        75 %       ratio
docker run -d --restart always      250.0 ms    250.0 ms    250.0 ms              until it runs, of which Docker waits 100 ms; the same container again
dockhost@app                        260.0 ms    260.0 ms    260.0 ms        1.04
dockhost run in a unit              270.0 ms    270.0 ms    270.0 ms        1.08
Podman quadlet                      280.0 ms    280.0 ms    280.0 ms        1.12

one call of the runtime               median        25 %        75 %       added
runc                                  5.0 ms      5.0 ms      5.0 ms
dockhost-runtime before it            8.0 ms      8.0 ms      8.0 ms      3.0 ms

memory when idle                         RSS         PSS       ratio        goal   anonymous        goal
docker run, attached                30.0 MiB    20.0 MiB                             8.0 MiB
dockhost@app                        15.0 MiB    10.0 MiB        0.50      < 0.50     4.0 MiB  <= 5.0 MiB
dockhost run in a unit               7.5 MiB     5.0 MiB        0.25      < 0.50     2.0 MiB  <= 5.0 MiB
Podman quadlet (conmon)              3.8 MiB     2.5 MiB        0.12                 1.0 MiB

wakeups a minute when idle         unchecked     checked        goal  checked: with a health check each second
docker run, attached                     1.5         0.3
dockhost@app                             0.8         0.2           0
dockhost run in a unit                   0.5                       0
Podman quadlet (conmon)                  0.4

the idle agent                           RSS         PSS   anonymous        goal     wakeups        goal  wakeups: a minute
dockhost.service                    20.0 MiB    15.0 MiB     9.0 MiB  < 12.0 MiB         2.0           0

1024 MiB of log lines to a file         rate       ratio        goal         CPU       ratio        goal   anonymous
docker run, attached               256 MiB/s                              1.60 s                             5.0 MiB
dockhost run                       341 MiB/s        1.33     >= 1.00      1.20 s        0.75     <= 1.00     5.0 MiB
`

func TestReport(t *testing.T) {
	r := exampleReport(options{image: "app", container: "app", checked: "checked", linesMiB: 1024})
	var got bytes.Buffer
	if err := r.write(&got); err != nil || got.String() != exampleText {
		t.Errorf("write() = %v and prints\n%swant\n%s", err, got.String(), exampleText)
	}
}

func TestReportWithoutQuadlet(t *testing.T) {
	r := exampleReport(options{image: "app", container: "app", noQuadlet: "no apt here"})
	var got bytes.Buffer
	if err := r.write(&got); err != nil || !strings.HasSuffix(got.String(), "\nNo Podman quadlet: no apt here.\n") {
		t.Errorf("write() = %v and prints\n%swant the reason at the end", err, got.String())
	}
}

// exampleReport returns a report with invented measurements.
func exampleReport(o options) report {
	r := report{
		options: o, ways: newWays(o), replacements: newReplacements(o), residents: newResidents(o), relays: newRelays(),
		calls: calls{plain: times(5), passThrough: times(8)},
	}
	for i, one := range r.replacements.list() {
		one.down = times(300 + 30*i)
	}
	for i, w := range r.ways.toStart() {
		w.started, w.stopped = times(100+10*i), times(200+10*i)
		w.toCreate, w.toRun, w.toReturn = times(10), times(80), times(10)
	}
	for i, w := range r.ways.toCrash() {
		w.crashed = times(250 + 10*i)
	}
	for i, one := range r.residents.all() {
		one.memory, one.wakeups = memory{30720 >> i, 20480 >> i, 8192 >> i}, 1.5/float64(i+1)
	}
	r.agent = idleAgent{memory: memory{20480, 15360, 9216}, wakeups: 2}
	for i, one := range r.relays.list() {
		one.took, one.cpu = times(4000-1000*i), times(1600-400*i)
		one.memory = memory{anonymous: 5120}
	}
	return r
}
