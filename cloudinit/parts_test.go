package cloudinit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func multipart(parts ...string) string {
	return "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n" + strings.Join(parts, "\n--b\n") + "\n--b--\n"
}

func as(kind, text string) string { return "Content-Type: " + kind + "\n\n" + text }

func based64(kind, text string) string {
	return "Content-Type: " + kind + "\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(text))
}

const web = "#cloud-config\ndockhost:\n  containers:\n    web: {image: nginx}\n"

// names are the containers of a section, with where each is.
func names(section *Section) []string {
	var found []string
	if section.Node == nil {
		return nil
	}
	for i := 0; i+1 < len(section.Node.Content); i += 2 {
		if section.Node.Content[i].Value != "containers" {
			continue
		}
		containers := section.Node.Content[i+1]
		for j := 0; j+1 < len(containers.Content); j += 2 {
			key := containers.Content[j]
			file, line := section.Source.Position(key.Line)
			found = append(found, fmt.Sprintf("%s at %s:%d:%d", key.Value, file, line, key.Column))
		}
	}
	return found
}

// Each part is told of, and each line is found again in the file that a person
// edits, or in its part where it is packed.
func TestParts(t *testing.T) {
	gz := string(pack(t, web))
	tests := []struct {
		name, text string
		containers []string
		parts      []Part
		warnings   []string
	}{
		{
			"one", web,
			[]string{"web at user-data:4:5"},
			[]Part{{"user-data", kindCloudConfig, len(web), Taken, ""}},
			nil,
		},
		{
			"a message", multipart(as(kindCloudConfig, "#cloud-config\na: 1"), as(kindCloudConfig, web), as(kindScript, "#!/bin/sh")),
			[]string{"web at user-data:15:5"},
			[]Part{
				{"part 1", kindCloudConfig, 18, Merged, ""},
				{"part 2", kindCloudConfig, len(web), Taken, ""},
				{"part 3", kindScript, 9, Skipped, "a script, which cloud-init runs"},
			},
			nil,
		},
		{
			"base64", multipart("Content-Disposition: attachment; filename=\"web.yaml\"\n" + based64(kindCloudConfig, web)),
			[]string{"web at user-data part 1 (web.yaml):4:5"},
			[]Part{{"web.yaml", kindCloudConfig, len(web), Taken, ""}},
			nil,
		},
		{
			"packed part", multipart(as("text/plain", ""), based64("application/gzip", gz)),
			[]string{"web at user-data part 2:4:5"},
			[]Part{{"part 1", kindPlain, 0, Skipped, "empty"}, {"part 2", kindCloudConfig, len(web), Taken, ""}},
			nil,
		},
		{
			"our type without the key", multipart(as(kindDockhost, "containers:\n  web: {image: nginx}")),
			[]string{"web at user-data:8:3"},
			[]Part{{"part 1", kindDockhost, 33, Taken, ""}},
			nil,
		},
		{
			"our type with the key", multipart(as(kindDockhost, "dockhost:\n  containers:\n    web: {image: nginx}")),
			[]string{"web at user-data:9:5"},
			[]Part{{"part 1", kindDockhost, 47, Taken, ""}},
			nil,
		},
		{
			"our type, packed", multipart(based64(kindDockhost, string(pack(t, "containers: {web: {}}")))),
			[]string{"web at user-data part 1:1:14"},
			[]Part{{"part 1", kindDockhost, 21, Taken, ""}},
			nil,
		},
		{
			"our type as a template", multipart(as(kindDockhost, "## template: jinja\ncontainers:\n{% for n in ['a', 'b'] %}\n  {{ n }}: {image: x}\n{% endfor %}")),
			[]string{"a at user-data:10:3", "b at user-data:10:3"},
			[]Part{{"part 1", kindDockhost, 44, Taken, ""}},
			nil,
		},
		{
			"the later part replaces", multipart(as(kindCloudConfig, web), as(kindDockhost, "containers: {own: {}}")),
			[]string{"own at user-data:15:14"},
			[]Part{{"part 1", kindCloudConfig, len(web), Taken, ""}, {"part 2", kindDockhost, 21, Taken, ""}},
			nil,
		},
		{
			"the later part adds", multipart(as(kindCloudConfig, web), as(kindDockhost, "merge_how: dict(no_replace)\ncontainers: {own: {}}")),
			[]string{"web at user-data:10:5", "own at user-data:16:14"},
			[]Part{{"part 1", kindCloudConfig, len(web), Taken, ""}, {"part 2", kindDockhost, 49, Taken, ""}},
			nil,
		},
		{
			"archive", "#cloud-config-archive\n- type: text/cloud-config\n  filename: web.yaml\n  content: |\n" + indent(web, 4) + "- '#!/bin/sh'\n- 5\n",
			[]string{"web at user-data:8:9"},
			[]Part{
				{"user-data", kindArchive, 178, Unpacked, ""},
				{"web.yaml", kindCloudConfig, len(web), Taken, ""},
				{"part 3", kindScript, 9, Skipped, "a script, which cloud-init runs"},
			},
			[]string{"user-data:10:3: an item of the archive is neither a mapping nor text: cloud-init passes over it"},
		},
		{
			"archive with folded text", "#cloud-config-archive\n- \"#cloud-config\\ndockhost: {containers: {web: {}}}\"\n",
			[]string{"web at user-data part 2:2:25"},
			[]Part{{"user-data", kindArchive, 75, Unpacked, ""}, {"part 2", kindCloudConfig, 47, Taken, ""}},
			nil,
		},
		{
			"template", "## template: jinja\n#cloud-config\n{% if v1.region == 'x' %}\na: 1\n{% endif %}\ndockhost:\n  containers:\n    {{ v1.local_hostname }}: {image: x}\n",
			[]string{"h1 at user-data:8:5"},
			[]Part{{"user-data", kindJinja, 62, Taken, ""}},
			nil,
		},
		{
			"a template of cloud-init alone",
			multipart(as(kindJinja, "## template: jinja\n#cloud-config\na: {{ merged_cfg.b }}\n"), as(kindCloudConfig, web)),
			[]string{"web at user-data:17:5"},
			[]Part{
				{"part 1", kindJinja, 55, Skipped, "this template cannot be rendered, and does not mention dockhost"},
				{"part 2", kindCloudConfig, len(web), Taken, ""},
			},
			[]string{"user-data: part 1 is passed over: it does not mention dockhost, and it cannot be rendered: line 3, column 17: merged_cfg.b: " +
				"cloud-init has this value and dockhost does not: use v1.instance_id, v1.local_hostname or ds.meta_data, or write it out"},
		},
		{
			"a script as a template", "## template: jinja\n#!/bin/sh\n{{ nothing }}\n", nil,
			[]Part{{"user-data", kindJinja, 43, Skipped, "a template of a script, which cloud-init runs"}},
			nil,
		},
		{
			"of a type that nobody reads", multipart(as("text/yaml", "dockhost: {}")), nil,
			[]Part{{"part 1", "text/yaml", 12, Skipped, "not a type that dockhost reads"}},
			[]string{`user-data: part 1 has a line "dockhost:", but not the type text/cloud-config or text/x-dockhost: it is not read`},
		},
		{
			"an option that is not known", multipart(as(kindCloudConfig, "#cloud-config\nmerge_how: list(append)+dict(recurse_lists)\na: 1")), nil,
			[]Part{{"part 1", kindCloudConfig, 62, Merged, ""}},
			[]string{`user-data: part 1: merge_how: cloud-init knows no option "recurse_lists" and passes over it (did you mean "recurse_list"?)`},
		},
		{
			"no dict merger", multipart(as(kindCloudConfig, "#cloud-config\nmerge_how: list(append)\ndockhost: {}")), nil,
			[]Part{{"part 1", kindCloudConfig, 50, Skipped, "its merge_how has no dict(), so that cloud-init drops it"}},
			[]string{"user-data: part 1 is dropped, by cloud-init as well: its merge_how has no dict()"},
		},
		{
			"CoreOS", "#cloud-config\ncoreos:\n  units:\n  - name: etcd.service\n    command: start\n  - {name: web.service, content: x}\n", nil,
			[]Part{{"user-data", kindCloudConfig, 109, Merged, ""}},
			[]string{"coreos.units is coreos-cloudinit's and does nothing here (etcd.service, web.service): write the units into " +
				"/etc/systemd/system with write_files, and start them with runcmd"},
		},
		{
			"launch index", multipart("Launch-Index: 1\n" + as(kindCloudConfig, web)),
			[]string{"web at user-data:11:5"},
			[]Part{{"part 1", kindCloudConfig, len(web), Taken, ""}},
			[]string{"launch-index is not heeded: each part counts on each instance"},
		},
		{
			"a template by the wrong type", multipart(as(kindCloudConfig, "## template: jinja\n#cloud-config\na: 1")), nil,
			[]Part{{"part 1", kindCloudConfig, 37, Merged, ""}},
			[]string{"user-data: part 1 begins as a template but has the type text/cloud-config, so that neither cloud-init nor dockhost renders it: give it the type text/jinja2"},
		},
		{
			"include, off", "#include\n# here\nhttps://example.org/a\n#include https://example.org/b\n", nil,
			[]Part{{"user-data", kindInclude, 69, Skipped, "includes are off"}},
			[]string{"user-data: includes are off: the 2 addresses of user-data are not read (user_data.include in dockhost.yaml turns them on)"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := &UserData{Path: "/x/user-data", Raw: []byte(tt.text), Metadata: map[string]any{
				"v1": map[string]any{"local-hostname": "h1", "region": "x"},
			}}
			section, err := data.Section(t.Context(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.containers, names(section)); diff != "" {
				t.Errorf("containers (-want, +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.parts, section.Parts); diff != "" {
				t.Errorf("parts (-want, +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.warnings, section.Warnings); diff != "" {
				t.Errorf("warnings (-want, +got):\n%s", diff)
			}
			if section.Opaque != strings.HasPrefix(tt.name, "include") {
				t.Errorf("opaque = %v", section.Opaque)
			}
		})
	}
}

func indent(text string, by int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.Repeat(" ", by) + line)
	}
	return out.String()
}

// Everything that is wrong in any part is told at once, with its place and
// without what is written there.
func TestPartErrors(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{
			"two parts", multipart(as(kindCloudConfig, "#cloud-config\n- "+canary), as(kindCloudConfig, "#cloud-config\na: ["+canary)),
			[]string{
				"user-data:8:1: cloud-config is not a mapping",
				"user-data:13:18: not YAML: did not find expected ',' or ']' for what opens at line 13, column 4",
			},
		},
		{"base64", multipart("Content-Transfer-Encoding: base64\n\n!" + canary), []string{"user-data:7:1: damaged base64"}},
		{"quoted-printable", multipart("Content-Transfer-Encoding: quoted-printable\n\n\x01" + canary), []string{"user-data:7:1: damaged quoted-printable"}},
		{"uuencode", multipart("Content-Transfer-Encoding: x-uuencode\n\n" + canary), []string{"user-data:7:1: this Content-Transfer-Encoding is not supported"}},
		{"gzip part", multipart(based64("application/gzip", canary)), []string{"user-data part 1:1:1: damaged gzip"}},
		{"gzip part of the wrong type", multipart(based64(kindCloudConfig, string(pack(t, web)))), []string{"user-data part 1:1:1: packed by gzip, but its type does not say so"}},
		{"header forgotten", multipart("\n" + "dockhost: {x: " + canary + "}"), []string{"user-data:6:1: the first line is not #cloud-config"}},
		{"our type is a list", multipart(as(kindDockhost, "- "+canary)), []string{"user-data:7:1: a part of type text/x-dockhost is not a mapping"}},
		{
			"our type with other keys", multipart(as(kindDockhost, "dockhost: {}\nruncmd: ["+canary+"]")),
			[]string{"user-data:8:1: only dockhost may stand beside dockhost"},
		},
		{
			"archive", "#cloud-config-archive\n- content: |\n    #cloud-config\n    a: b: " + canary + "\n- {content: [" + canary + "]}\n- {type: x, content: y}\n",
			[]string{
				"user-data:4:9: not YAML: mapping values are not allowed", "user-data:5:13: the content of an archive's entry is not text",
				"user-data part 4:1:1: the type of an archive's entry is not like text/cloud-config",
			},
		},
		{"archive that is not a list", "#cloud-config-archive\na: " + canary + "\n", []string{"user-data:1:1: an archive is not a list"}},
		{
			"template", "## template: jinja\n#cloud-config\ndockhost:\n  x: {{ v1.region }}\n",
			[]string{"user-data:4:11: template: v1.region: cloud-init has this value and dockhost does not"},
		},
		{"template's tag", "## template: jinja\n#cloud-config\n{% include 'x' %}\ndockhost: {}\n", []string{`user-data:3:4: template: cannot use the tag "include" of Jinja in user data: supported are for, if, set`}},
		{"template that makes no YAML", "## template: jinja\n#cloud-config\n{# a\nb #}\ndockhost: [\n", []string{"user-data:5:1: not YAML"}},
		{"template, blank line first", "\n## template: jinja\n#cloud-config\ndockhost: {}\n", []string{"user-data:1:1: the first line of a template is not ## template: jinja"}},
		{"merge_how is a number of things", multipart(as(kindCloudConfig, "#cloud-config\nmerge_how: {a: "+canary+"}")), []string{"user-data:8:12: merge_how is neither a text"}},
		{"merge_how is no merger", multipart(as(kindCloudConfig, "#cloud-config\nmerge_how: "+canary)), []string{"user-data:8:12: merge_how is not like list(append)"}},
		{"patch", "#cloud-config-jsonp\n[{op: " + canary + "}]", []string{"user-data:1:1: not JSON"}},
		{"patch's path", "#cloud-config-jsonp\n[{\"op\": \"remove\", \"path\": \"/" + canary + "\"}]", []string{"user-data:2:2: the path leads to nothing"}},
		{"patch's operation", "#cloud-config-jsonp\n[{\"op\": \"x\", \"path\": \"/" + canary + "\"}]", []string{"user-data:2:2: an operation of a JSON patch is add"}},
		{"nested too deeply", nested(12), []string{"user-data:1:1: more than 1000 parts, or nested too deeply"}},
		{"too many parts", multipart(strings.Split(strings.Repeat("\n|", 1001), "|")...), []string{"user-data:1:1: more than 1000 parts"}},
		{"too many entries", "#cloud-config-archive\n" + strings.Repeat("- '#!'\n", 1001), []string{"user-data part 1001:1:1: more than 1000 parts"}},
		{"bombs together", bombs(t), []string{"user-data part 3:1:1: larger than 16 MiB once unpacked", "user-data:23:1: larger than 16 MiB once unpacked"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			section, err := (&UserData{Path: "user-data", Raw: []byte(tt.text)}).Section(t.Context(), Options{})
			if err == nil {
				t.Fatalf("Section() = %+v, want an error", section)
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tt.want) {
				t.Fatalf("Section() error = %q, want %q", got, tt.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) || strings.Contains(got[i], canary) {
					t.Errorf("Section() error %d = %q, want %q and no user data", i, got[i], tt.want[i])
				}
			}
			for _, part := range section.Parts {
				if strings.Contains(part.Why, canary) {
					t.Errorf("part = %+v, want no user data", part)
				}
			}
		})
	}
}

func nested(levels int) string {
	text := "MIME-Version: 1.0\n"
	for i := range levels {
		text += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	return text
}

// bombs are parts that are too large together.
func bombs(t *testing.T) string {
	t.Helper()
	one := based64("application/gzip", string(pack(t, strings.Repeat("#", 6<<20))))
	return multipart(one, one, one, one)
}

func TestIncludes(t *testing.T) {
	pages := map[string]string{
		"https://example.org/web?token=" + canary: web,
		"https://example.org/more":                multipart(as(kindInclude, "#include https://example.org/packed"), as(kindScript, "#!/bin/sh")),
		"https://example.org/packed":              string(pack(t, "#cloud-config\nmerge_how: dict(no_replace)\ndockhost: {containers: {api: {}}}")),
		"https://example.org/again":               "#include\nhttps://example.org/again\n",
		"https://example.org/large":               strings.Repeat("#", MaxSize+1),
	}
	o := Options{Include: func(_ context.Context, address string) ([]byte, error) {
		text, ok := pages[address]
		if !ok {
			return nil, &url.Error{Op: "Get", URL: address, Err: errors.New("not found")}
		}
		return []byte(text), nil
	}}
	data := &UserData{Path: "user-data", Raw: []byte("#include-once\nhttps://example.org/web?token=" + canary + "\nhttps://example.org/more\n")}
	section, err := data.Section(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"web at user-data part 2 (example.org/web):4:5", "api at user-data part 4 (example.org/packed):3:25"}
	if diff := cmp.Diff(want, names(section)); diff != "" {
		t.Errorf("containers (-want, +got):\n%s", diff)
	}
	var parts []string
	for _, part := range section.Parts {
		parts = append(parts, fmt.Sprintf("%s %s %s", part.Name, part.Type, part.Outcome))
	}
	if diff := cmp.Diff([]string{
		"user-data text/x-include-once-url unpacked", "example.org/web text/cloud-config taken", "part 3 text/x-include-url unpacked",
		"example.org/packed text/cloud-config taken", "part 5 text/x-shellscript skipped",
	}, parts); diff != "" || section.Opaque {
		t.Errorf("opaque = %v, parts (-want, +got):\n%s", section.Opaque, diff)
	}
	for text, want := range map[string]string{
		"#include file:///etc/shadow":                                         "user-data:1:1: cannot include this: only http:// and https://",
		"#include\n\nhttps://example.org/none?token=" + canary:                "user-data:3:1: include example.org/none: not found",
		"#include https://example.org/large":                                  "user-data:1:1: include example.org/large: larger than 16 MiB",
		"#include https://example.org/again":                                  "nested too deeply",
		"#include" + strings.Repeat("\nhttps://example.org/packed", 33):       "user-data:34:1: more than 32 includes",
		"#include https://deploy:" + canary + "@example.org/none\nignore: me": "user-data:1:1: include example.org/none: not found\nuser-data:2:1: cannot include this",
	} {
		_, err := (&UserData{Path: "user-data", Raw: []byte(text)}).Section(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("Section() of %q: error = %v, want %q", text[:min(len(text), 60)], err, want)
		}
	}
}

// A patch shares what it copies, and never becomes large by it.
func TestPatchCopies(t *testing.T) {
	var ops []string
	for range 40 {
		ops = append(ops, `{"op": "copy", "from": "", "path": "/a"}`, `{"op": "copy", "from": "", "path": "/b"}`)
	}
	ops = append(ops, `{"op": "test", "path": "/a", "value": 1}`)
	text := "#cloud-config-jsonp\n[" + strings.Join(ops, ",") + "]"
	_, err := (&UserData{Path: "user-data", Raw: []byte(text)}).Section(t.Context(), Options{})
	if err == nil || !strings.Contains(err.Error(), "the test does not hold") {
		t.Errorf("Section() error = %v, want that the test does not hold", err)
	}
	text = "#cloud-config-jsonp\n[" + strings.Join(ops[:80], ",") + `, {"op": "copy", "from": "", "path": "/c"}, {"op": "test", "path": "/a", "value": {}}]`
	if _, err = (&UserData{Path: "user-data", Raw: []byte(text)}).Section(t.Context(), Options{}); err == nil {
		t.Error("Section() = nil error, want one")
	}
}

// Text that is appended to itself by aliases is bounded.
func TestMergedTextIsBounded(t *testing.T) {
	first := "#cloud-config\nbig: &b \"" + strings.Repeat("x", 1<<20) + "\"\nlist: [" + strings.TrimSuffix(strings.Repeat("*b, ", 1000), ", ") + "]\n"
	second := "#cloud-config\nmerge_how: dict(recurse_array)+list(recurse_str)+str(append)\nlist: [" + strings.TrimSuffix(strings.Repeat("y, ", 1000), ", ") + "]\n"
	_, err := (&UserData{Path: "user-data", Raw: []byte(multipart(as(kindCloudConfig, first), as(kindCloudConfig, second)))}).Section(t.Context(), Options{})
	if err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("Section() error = %.300v, want that it is too large", err)
	}
}
