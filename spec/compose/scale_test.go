package compose

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/internal/document"
)

// manyServices declares n containers, and what they have in common.
func manyServices(n int) string {
	text := "containers:\n  c0: {image: x}\n"
	for i := range n - 1 {
		text += fmt.Sprintf("  c%d: {image: registry.example.com/app, ports: [\"%d:80\"], environment: {A: b}, depends_on: [c0], volumes: [\"data%d:/data\"]}\n", i+1, 1024+i, i)
	}
	return text
}

// items declares a container with n items of a key. %d in the item is its number.
func items(key, item string) func(n int) string {
	return func(n int) string {
		var text strings.Builder
		text.WriteString("containers:\n  c0:\n    image: x\n    " + key + ":\n")
		for i := range n {
			fmt.Fprintf(&text, "      "+item+"\n", i)
		}
		return text.String()
	}
}

// shapes are documents of n parts.
func shapes() map[string]func(n int) string {
	return map[string]func(n int) string{
		"containers":            manyServices,
		"variables":             items("environment", "NAME_%d: value"),
		"variables in a list":   items("environment", "- NAME_%d=value"),
		"wrong variables":       items("environment", "NAME_%d: {}"),
		"labels":                items("labels", "name.%d: value"),
		"volumes":               items("volumes", "- data:/data%d"),
		"wrong volumes":         items("volumes", "- {source: /x, target: /data%d}"),
		"tmpfs":                 items("tmpfs", "- /data%d"),
		"ports":                 items("ports", "- 10.0.0.1:1%[1]d:1%[1]d"),
		"addresses of a port":   items("ports", "- {target: 80, published: 80, host_ip: \"fd00::%d\"}"),
		"wrong ports":           items("ports", "- x%d"),
		"dependencies":          items("depends_on", "- other%d"),
		"unknown keys":          items("healthcheck", "intervall%d: 1"),
		"extra hosts":           items("extra_hosts", "- name%d=10.0.0.1"),
		"devices":               items("devices", "- /dev/sd%d"),
		"env files":             items("env_file", "- /etc/env%d"),
		"capabilities":          items("cap_add", "- CAP_%d"),
		"mounts of the host":    items("x-dockhost", "x%d: 1"),
		"one circle":            circleOf,
		"containers, one wrong": func(n int) string { return manyServices(n) + "  wrong: {image: x, ports: [x]}\n" },
		"wrong containers":      func(n int) string { return strings.ReplaceAll(manyServices(n), "A: b", "A: []") },
	}
}

// circleOf declares n containers that wait for each other in many circles.
func circleOf(n int) string {
	text := "containers:\n"
	for i := range n {
		text += fmt.Sprintf("  c%d: {image: x, depends_on: [c%d, c0]}\n", i, (i+1)%n)
	}
	return text
}

func parseText(tb testing.TB, text string) error {
	tb.Helper()
	top, err := document.Parse("user-data", []byte(text))
	if err == nil {
		_, err = Parse(document.File("user-data"), top)
	}
	return err
}

// TestGrowthIsLinear compares what a document of some size allocates with one of
// twice the size: a quadratic part would allocate four times as much.
func TestGrowthIsLinear(t *testing.T) {
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			const size = 60
			once := testing.AllocsPerRun(1, func() { _ = parseText(t, shape(size)) })
			twice := testing.AllocsPerRun(1, func() { _ = parseText(t, shape(2*size)) })
			if ratio := twice / once; ratio > 2.6 {
				t.Errorf("%d parts need %.0f allocations, and %d need %.0f: %.1f times as many", size, once, 2*size, twice, ratio)
			}
		})
	}
}

func BenchmarkShapes(b *testing.B) {
	for name, shape := range shapes() {
		for _, size := range []int{1000, 10_000} {
			text := shape(size)
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_ = parseText(b, text)
				}
			})
		}
	}
}

// What is too large is refused at once, with one sentence.
func TestLimits(t *testing.T) {
	ranges := func(key string, items ...string) string {
		return "containers:\n  c0:\n    image: x\n    " + key + ": ['" + strings.Join(items, "', '") + "']\n"
	}
	thousand := strings.Split(strings.Repeat("80,", 999)+"80", ",")
	tests := []struct{ name, text, want string }{
		{"containers", manyServices(1000), ""},
		{"too many containers", manyServices(6500), "user-data:1:1 containers: too many containers: 6500 are declared here, and a host takes up to 1000"},
		{"range of ports", ranges("ports", "1001-2000:1001-2000/udp"), ""},
		{"too large a range of ports", ranges("ports", "80", "1001-2000:1001-2000/udp"), "containers.c0.ports[1]: too many ports: a container can have up to 1000"},
		{"all ports", ranges("ports", "1-65535:1-65535"), "containers.c0.ports[0]: too many ports"},
		{"all ports, many times", ranges("ports", strings.Split(strings.Repeat("1-65535,", 64), ",")...), "containers.c0.ports[0]: too many ports"},
		{"range at an address", ranges("ports", "[::1]:1-65535:1-65535"), "too many ports"},
		{"range backwards", ranges("ports", "90-80:90-80"), "cannot use \"90-80:90-80\" as a port"},
		{"huge numbers", ranges("ports", "1-99999999999999999999:1"), "cannot use port 99999999999999999999"},
		{"too many single ports", ranges("ports", append(thousand, "81")...), "containers.c0.ports[1000]: too many ports"},
		{"items", items("labels", "a%d: b")(2000), ""},
		{"too many items in a list", items("cap_add", "- a%d")(2001), "containers.c0.cap_add: too long"},
		{"too many items", items("labels", "a%d: b")(2001), "containers.c0.labels: too long: write up to 2000 items"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := parseText(t, test.text)
			switch {
			case test.want == "" && err != nil, test.want != "" && err == nil:
				t.Fatalf("Parse() error = %v, want %q", err, test.want)
			case err != nil && (!strings.Contains(err.Error(), test.want) || strings.Count(err.Error(), "\n") > 0):
				t.Errorf("Parse() error = %v, want only %q", err, test.want)
			}
		})
	}
}

// TestRefusedPartsAreFound finds each service, item and field that compose-go
// refuses, although they are loaded together.
func TestRefusedPartsAreFound(t *testing.T) {
	var text strings.Builder
	text.WriteString("containers:\n")
	for i := range 20 {
		value := "b"
		if i%7 == 3 {
			value = "[]"
		}
		fmt.Fprintf(&text, "  c%d: {image: x, environment: {A: b, B: %s, C: d}, cap_add: [A, %s, B]}\n", i, value, value)
	}
	err := parseText(t, text.String())
	if err == nil {
		t.Fatal("Parse() error = nil")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 6 {
		t.Fatalf("Parse() error = %v, want 6 problems", err)
	}
	for i, line := range lines {
		want := fmt.Sprintf("containers.c%d.%s: ", 3+7*(i/2), []string{"environment.B", "cap_add[1]"}[i%2])
		if !strings.Contains(line, want) {
			t.Errorf("problem %d = %q, want %q", i, line, want)
		}
	}
}

func TestPublish(t *testing.T) {
	tests := []struct {
		first, second string
		overlap       bool
	}{
		{"", "", true},
		{"", "10.0.0.1", true},
		{"10.0.0.1", "", true},
		{"fd00::1", "", true},
		{"0.0.0.0", "10.0.0.1", true},
		{"10.0.0.1", "0.0.0.0", true},
		{"::", "fd00::1", true},
		{"10.0.0.1", "10.0.0.1", true},
		{"10.0.0.1", "10.0.0.2", false},
		{"0.0.0.0", "::", false},
		{"::", "10.0.0.1", false},
		{"::ffff:10.0.0.1", "10.0.0.1", true},
		{"wrong", "", false},
	}
	for _, test := range tests {
		all := map[hostPort]*publishers{}
		publish(all, published{protocol: "tcp", port: 80, ip: test.first}, "one")
		publish(all, published{protocol: "udp", port: 80, ip: test.second}, "udp")
		want := ""
		if test.overlap {
			want = "one"
		}
		if got := publish(all, published{protocol: "tcp", port: 80, ip: test.second}, "two"); got != want {
			t.Errorf("publish(%q) after %q = %q, want %q", test.second, test.first, got, want)
		}
	}
}
