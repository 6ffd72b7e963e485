//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
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
	const jinja = "## template: jinja\n" + head + "dockhost: {containers: {evil: {image: x, wrong: 1}}}\n"
	const mime = "Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n\n"
	laughs := head + "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 30; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	doubling := "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/a\", \"value\": [1]}" + strings.Repeat(`, {"op": "copy", "from": "/a", "path": "/a/0"}`, 60) + ", {\"op\": \"add\", \"path\": \"/dockhost\", \"value\": {\"wrong\": 1}}]\n"
	return map[string]string{
		"port-ranges":          evil("ports: [" + strings.TrimSuffix(strings.Repeat("'1-65535:1-65535',", 60), ",") + "]"),
		"laughs":               laughs + "dockhost: {containers: {evil: {image: x, labels: *a29}}}\n",
		"alias-of-itself":      head + "dockhost: &a {containers: *a}\n",
		"deep-lists":           head + "dockhost: " + strings.Repeat("[", 500_000),
		"deep-mappings":        head + "dockhost: " + strings.Repeat("{a: ", 200_000),
		"many-variables":       evil("environment: {" + repeat(300_000, "A%d: b, ") + "}, wrong: 1"),
		"chain":                head + "dockhost:\n  containers:\n    c0: {image: x, wrong: 1}\n" + repeat(20_000, "    c%[1]dx: {image: x, depends_on: [c%[1]dx]}\n"),
		"nul":                  head + "dockhost: {containers: {evil: {image: 'a\x00b'}}}\n",
		"not-utf8":             head + "dockhost: {containers: {evil: {image: 'a\xff\xfeb'}}}\n",
		"escapes":              head + "dockhost: {containers: {\"\\e]0;pwned\\a\\e[2J\": {image: x}, \"\\x9b31m\": 1}}\n",
		"tag-of-python":        head + "dockhost: !!python/object/apply:os.system ['touch /run/pwned']\n",
		"too-large":            head + strings.Repeat("# 16 MiB\n", 2<<20),
		"gzip-bomb":            packed(io.LimitReader(zeros{}, 1<<30)),
		"base64-of-gzip":       base64.StdEncoding.EncodeToString([]byte(packed(io.LimitReader(zeros{}, 256<<20)))),
		"mime-continued":       "Content-Type: multipart/mixed;\n" + repeat(100_000, " a%d=b;\n") + " boundary=x\n\n--x\nContent-Type: text/cloud-config\n\ndockhost: {wrong: 1}\n--x--\n",
		"mime-parts":           mime + strings.Repeat("--x\nContent-Type: text/cloud-config\n\nwrong: [\n", 50_000) + "--x--\n",
		"mime-nested":          repeatNested(2000),
		"mime-without-end":     mime + "--x\nContent-Type: text/cloud-config\n\ndockhost: {containers: {evil: {image: x, wrong: 1}}}\n",
		"archive-parts":        "#cloud-config-archive\n" + strings.Repeat("- {type: text/cloud-config, content: 'dockhost: ['}\n", 50_000),
		"patches-double":       doubling,
		"patches-deep":         "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/" + strings.Repeat("a/", 200_000) + "\", \"value\": 1}]\n",
		"jinja-loop":           jinja + "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}\n",
		"jinja-product":        jinja + "x: {{ 'a' * 10000000000 }}\n",
		"jinja-power":          jinja + "x: {{ 9 ** 9 ** 9 ** 9 }}\n",
		"jinja-filters":        jinja + "x: {{ 'a'" + strings.Repeat("|replace('a', 'aaaaaaaa')", 40) + " }}\n",
		"jinja-file":           jinja + "x: {% include '/etc/shadow' %}\n",
		"jinja-classes":        "## template: jinja\n" + head + "dockhost: {{ ''.__class__.__mro__[1].__subclasses__() }}\n",
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
	attacks := formatAttacks()
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		a.in(name, func(a *attacked) {
			s := a.fetched(attacks[name])
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
