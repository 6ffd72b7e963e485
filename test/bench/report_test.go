package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// times makes samples of so many milliseconds.
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

func TestReport(t *testing.T) {
	all := newWays(options{image: "app", container: "app"})
	for i, w := range all.list() {
		w.started, w.stopped = times(100+10*i), times(200)
		w.asked, w.made, w.returned = times(10), times(80), times(10)
	}
	r := report{
		ways:   all,
		calls:  calls{plain: times(5), passThrough: times(8)},
		memory: memories{client: memory{30720, 20480, 8192}, supervisor: memory{17408, 11264, 5120}},
	}
	want := `start                                 median        25 %        75 %       ratio        goal
docker run -d                       100.0 ms    100.0 ms    100.0 ms
docker run -d --runtime runc        110.0 ms    110.0 ms    110.0 ms        1.10              the same to Docker: this is the noise
docker run -d --runtime dockhost    120.0 ms    120.0 ms    120.0 ms        1.09     <= 1.05  to docker run -d --runtime runc
systemctl start dockhost@app        130.0 ms    130.0 ms    130.0 ms        1.30     <= 1.10  to docker run -d

of which                           to create  to running  to the end
docker run -d                        10.0 ms     80.0 ms     10.0 ms
docker run -d --runtime runc         10.0 ms     80.0 ms     10.0 ms
docker run -d --runtime dockhost     10.0 ms     80.0 ms     10.0 ms
systemctl start dockhost@app         10.0 ms     80.0 ms     10.0 ms

stop                                  median        25 %        75 %       ratio
docker stop, docker rm              200.0 ms    200.0 ms    200.0 ms
systemctl stop                      200.0 ms    200.0 ms    200.0 ms        1.00

one call of the runtime               median        25 %        75 %       added
runc                                  5.0 ms      5.0 ms      5.0 ms
dockhost-runtime before it            8.0 ms      8.0 ms      8.0 ms      3.0 ms

memory when idle                         RSS         PSS   anonymous
docker run, attached                30.0 MiB    20.0 MiB     8.0 MiB
dockhost-supervise                  17.0 MiB    11.0 MiB     5.0 MiB
`
	var got bytes.Buffer
	if err := r.write(&got); err != nil || got.String() != want {
		t.Errorf("write() = %v and prints\n%swant\n%s", err, got.String(), want)
	}
}
