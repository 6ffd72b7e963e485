//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
)

// evil assigns a container with one more key.
func evil(key string) string {
	return "#cloud-config\ndockhost: {containers: {evil: {image: 'localhost:5000/app:1', " + key + "}}}\n"
}

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// packed compresses a text; zeros is a text of NULs that need not be in memory.
func packed(text io.Reader) string {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = io.Copy(w, text)
	_ = w.Close()
	return b.String()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// formatAttacks are user data that is expensive to read, or that is something else than it
// seems. They are made, because they are long.
func formatAttacks() map[string]string {
	const head = "#cloud-config\n"
	const mime = "Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n\n"
	gzipOfGzip := "#cloud-config\n"
	for range 50 {
		gzipOfGzip = packed(strings.NewReader(gzipOfGzip))
	}
	laughs := head + "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 30; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	doubling := "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/a\", \"value\": [1]}" + strings.Repeat(`, {"op": "copy", "from": "/a", "path": "/a/0"}`, 60) + "]\n"
	return map[string]string{
		"port-ranges":          evil("ports: [" + strings.TrimSuffix(strings.Repeat("'1-65535:1-65535',", 60), ",") + "]"),
		"port-ranges-expose":   evil("expose: [" + strings.TrimSuffix(strings.Repeat("1-65535,", 100), ",") + "]"),
		"laughs":               laughs + "dockhost: {containers: {evil: {image: x, labels: *a29}}}\n",
		"laughs-in-section":    head + "dockhost:\n  x-a: &a {a: b}\n" + repeat(2000, "  x-%d: {<<: *a, c: *a, d: *a}\n") + "  containers: 1\n",
		"merge-keys":           head + repeat(3000, "x%d: &x [1]\n") + "dockhost: {<<: [" + strings.TrimSuffix(strings.Repeat("*x,", 20000), ",") + "]}\n",
		"alias-of-itself":      head + "dockhost: &a {containers: *a}\n",
		"deep-lists":           head + "dockhost: " + strings.Repeat("[", 500_000),
		"deep-mappings":        head + "dockhost: " + strings.Repeat("{a: ", 200_000),
		"deep-blocks":          head + "dockhost:\n" + strings.Repeat(" ", 3000) + "- - - - -\n" + repeat(2000, "- %d:\n"),
		"many-keys":            head + "dockhost:\n  containers:\n" + repeat(200_000, "    c%d: {image: x}\n"),
		"many-problems":        head + "dockhost:\n  containers:\n    evil:\n" + repeat(200_000, "      wrong%d: 1\n"),
		"many-variables":       evil("environment: {" + repeat(300_000, "A%d: b, ") + "}, wrong: 1"),
		"nested-defaults":      evil("command: '" + strings.Repeat("${A:-", 20_000) + strings.Repeat("}", 20_000) + "', wrong: 1"),
		"chain":                head + "dockhost:\n  containers:\n    c0: {image: x, wrong: 1}\n" + repeat(20_000, "    c%[1]dx: {image: x, depends_on: [c%[1]dx]}\n"),
		"long-line":            head + "dockhost: {containers: {evil: {image: '" + strings.Repeat("a", 10<<20) + "'}}}\n",
		"nul":                  head + "dockhost: {containers: {evil: {image: 'a\x00b'}}}\n",
		"not-utf8":             head + "dockhost: {containers: {evil: {image: 'a\xff\xfeb'}}}\n",
		"utf16":                "\xff\xfe#\x00c\x00l\x00o\x00u\x00d\x00-\x00c\x00o\x00n\x00f\x00i\x00g\x00\n\x00a\x00",
		"bidi":                 head + "dockhost: {containers: {\"evil\u202e\": {image: \"x\u2066\", wr\u200bong: 1}}}\n",
		"escapes":              head + "dockhost: {containers: {\"\\e]0;pwned\\a\\e[2J\": {image: x}, \"\\x9b31m\": 1}}\n",
		"two-documents":        head + "dockhost: {containers: {evil: {image: x, wrong: 1}}}\n---\ndockhost: {containers: {evil: {image: x, privileged: true}}}\n",
		"tag-of-python":        head + "dockhost: !!python/object/apply:os.system ['touch /run/pwned']\n",
		"too-large":            head + strings.Repeat("# 16 MiB\n", 2<<20),
		"gzip-bomb":            packed(io.LimitReader(zeros{}, 1<<30)),
		"gzip-of-gzip":         gzipOfGzip,
		"gzip-cut":             packed(strings.NewReader(evil("privileged: true")))[:40],
		"base64-of-gzip":       base64.StdEncoding.EncodeToString([]byte(packed(io.LimitReader(zeros{}, 256<<20)))),
		"mime-continued":       "Content-Type: multipart/mixed;\n" + repeat(100_000, " a%d=b;\n") + " boundary=x\n\n--x--\n",
		"mime-headers":         "MIME-Version: 1.0\n" + repeat(100_000, "X-%d: y\n") + mime + "--x--\n",
		"mime-parts":           mime + strings.Repeat("--x\nContent-Type: text/cloud-config\n\nwrong: [\n", 50_000) + "--x--\n",
		"mime-nested":          repeatNested(2000),
		"mime-without-end":     mime + "--x\nContent-Type: text/cloud-config\n\ndockhost: {containers: {evil: {image: x, wrong: 1}}}\n",
		"mime-empty-boundary":  "Content-Type: multipart/mixed; boundary=\"\"\nMIME-Version: 1.0\n\n--\n--\n--\n",
		"mime-path":            mime + "--x\nContent-Type: text/cloud-config\nContent-Disposition: attachment; filename=\"../../../run/pwned\"\n\ndockhost: {wrong: 1}\n--x--\n",
		"mime-type":            mime + "--x\nContent-Type: text/cloud-config\x1b[2J\n\ndockhost: {wrong: 1}\n--x--\n",
		"archive-nested":       "#cloud-config-archive\n" + strings.Repeat("- type: text/cloud-config-archive\n  content: |\n    ", 1) + strings.Repeat("- [", 50_000),
		"archive-parts":        "#cloud-config-archive\n" + strings.Repeat("- {type: text/cloud-config, content: 'dockhost: ['}\n", 50_000),
		"patches-double":       doubling,
		"patches-many":         "#cloud-config-jsonp\n[" + strings.TrimSuffix(strings.Repeat(`{"op": "add", "path": "/dockhost", "value": {"wrong": 1}},`, 20_000), ",") + "]\n",
		"patches-deep":         "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/" + strings.Repeat("a/", 200_000) + "\", \"value\": 1}]\n",
		"jinja-loop":           "## template: jinja\n" + head + "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}\n",
		"jinja-product":        "## template: jinja\n" + head + "x: {{ 'a' * 10000000000 }}\n",
		"jinja-power":          "## template: jinja\n" + head + "x: {{ 9 ** 9 ** 9 ** 9 }}\n",
		"jinja-filters":        "## template: jinja\n" + head + "x: {{ 'a'" + strings.Repeat("|replace('a', 'aaaaaaaa')", 40) + " }}\n",
		"jinja-nested":         "## template: jinja\n" + head + strings.Repeat("{% if 1 %}", 50_000) + strings.Repeat("{% endif %}", 50_000) + "\n",
		"jinja-parentheses":    "## template: jinja\n" + head + "x: {{ " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000) + " }}\n",
		"jinja-file":           "## template: jinja\n" + head + "x: {% include '/etc/shadow' %}\n",
		"jinja-classes":        "## template: jinja\n" + head + "dockhost: {{ ''.__class__.__mro__[1].__subclasses__() }}\n",
		"include-file":         "#include\nfile:///etc/shadow\n",
		"include-metadata":     "#include-once\ngopher://169.254.169.254/\n",
		"include-option":       "#include\n--output /run/pwned http://192.0.2.1:1/\n",
		"declaration-not-ours": "#cloud-config\ndockhost:\n- privileged\n",
	}
}

// repeatNested is a multipart of one part that is a multipart, and so on.
func repeatNested(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\nMIME-Version: 1.0\n\n--b%d\n", i, i)
	}
	return b.String() + "Content-Type: text/cloud-config\n\ndockhost: {wrong: 1}\n"
}

// TestAttackFormats assigns user data that is hard to read. All of it is refused within the
// time of the intake, the agent does not end, and nothing changes on the host.
func TestAttackFormats(t *testing.T) {
	a := underAttack(t)
	for name, text := range formatAttacks() {
		a.in(name, func(a *attacked) {
			s := a.fetched(text)
			if !s.Source.LastKnownGood || len(s.Source.Problems) == 0 {
				a.Errorf("SUCCESS of the attack: last known good in force: %v, problems %q", s.Source.LastKnownGood, s.Source.Problems)
			}
			a.refuses(s, ":")
			a.unharmed()
			if problems := strings.Join(s.Source.Problems, "\n"); len(problems) > 64<<10 {
				a.Errorf("the problems have %d bytes", len(problems))
			}
			a.Logf("problems: %.200q; the agent has %d MiB", s.Source.Problems, a.memoryOf("dockhost"))
		})
	}
}

// TestAttackScripts assigns user data that would run a program if cloud-init read it. The
// agent runs nothing, and says that it is not for it.
func TestAttackScripts(t *testing.T) {
	const part = "Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n\n--x\nContent-Type: %s\n\n%s\n--x\nContent-Type: text/cloud-config\n\n%s\n--x--\n"
	body := strings.ReplaceAll(good(), "\n", "\r\n")
	a := underAttack(t)
	for name, script := range map[string][2]string{
		"shell":        {"text/x-shellscript", "#!/bin/sh\ntouch /run/pwned"},
		"boothook":     {"text/cloud-boothook", "#!/bin/sh\ntouch /run/pwned"},
		"part-handler": {"text/part-handler", "#part-handler\nopen('/run/pwned', 'w')"},
		"upstart":      {"text/upstart-job", "exec touch /run/pwned"},
	} {
		a.in(name, func(a *attacked) {
			a.fetched(fmt.Sprintf(part, script[0], script[1], body))
			a.unharmed()
		})
	}
}
