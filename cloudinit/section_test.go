package cloudinit

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

// canary stands for a secret in bad user data.
const canary = "hunter2canary"

func pack(tb testing.TB, text string) []byte {
	tb.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return packed.Bytes()
}

const good = "#cloud-config\npackages: [curl]\ndockhost:\n  containers:\n    web: {image: nginx}\n"

func TestSection(t *testing.T) {
	tests := []struct {
		name, text, kind string
		line             int // of the section's first key, 0 for no section
	}{
		{"empty", "", "", 0},
		{"blank", " \n\n", "", 0},
		{"cloud-config", good, "text/cloud-config", 4},
		{"CRLF", strings.ReplaceAll(good, "\n", "\r\n"), "text/cloud-config", 4},
		{"trailing space", strings.Replace(good, "config\n", "config  \n", 1), "text/cloud-config", 4},
		{"capitals", strings.Replace(good, "#cloud-config", "#Cloud-Config", 1), "text/cloud-config", 4},
		{"only the header", "#cloud-config", "text/cloud-config", 0},
		{"header and comments", "#cloud-config\n# nothing\n", "text/cloud-config", 0},
		{"null", "#cloud-config\n---\n~\n", "text/cloud-config", 0},
		{"no section", "#cloud-config\nruncmd: [ls]\n", "text/cloud-config", 0},
		{"flow", "#cloud-config\n{dockhost: {containers: {}}}", "text/cloud-config", 2},
		{"anchored", "#cloud-config\nx: &d\n  containers: {}\ndockhost: *d\n", "text/cloud-config", 3},
		{"script", "#!/bin/sh\necho dockhost:\n", "text/x-shellscript", 0},
		{"include", "#include\nhttps://example.org\n", "text/x-include-url", 0},
		{"include once", "#include-once\nhttps://example.org\n", "text/x-include-once-url", 0},
		{"jinja", "## template: jinja\n#cloud-config\ndockhost: {{ '{a: b}' }}\n", "text/jinja2", 3},
		{"boothook", "#cloud-boothook\n", "text/cloud-boothook", 0},
		{"part handler", "#part-handler\n", "text/part-handler", 0},
		{"archive", "#cloud-config-archive\n- '#!/bin/sh'\n", "text/cloud-config-archive", 0},
		{"MIME", "Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n", "multipart/mixed", 0},
		{"MIME, other header first", "From: me\nMIME-Version: 1.0\n", "multipart/mixed", 0},
		{"Ignition", `{"ignition": {"version": "3.0.0"}}`, "text/plain", 0},
		{"binary", "\x00\xff\xfe", "application/octet-stream", 0},
	}
	for _, tt := range tests {
		for _, packed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s packed=%v", tt.name, packed), func(t *testing.T) {
				data := &UserData{Path: "/x/user-data", Raw: []byte(tt.text)}
				if packed {
					data.Raw = pack(t, tt.text)
				}
				section, err := data.Section(t.Context(), Options{})
				if err != nil {
					t.Fatal(err)
				}
				line := 0
				if section.Node != nil {
					_, line = section.Source.Position(section.Node.Content[0].Line)
				}
				if section.Kind != tt.kind || line != tt.line || section.File != "user-data" {
					t.Errorf("Section() = kind %q, line %d, file %q, want kind %q, line %d", section.Kind, line, section.File, tt.kind, tt.line)
				}
			})
		}
	}
}

func laughs() string {
	text := "#cloud-config\na0: &a0 [" + canary + "]\n"
	for i := 1; i < 30; i++ {
		text += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1)
	}
	return text + "dockhost: {containers: *a29}\n"
}

func TestSectionErrors(t *testing.T) {
	bomb := pack(t, strings.Repeat("#", MaxSize+1))
	tests := []struct{ name, text, want string }{
		{"a list", "#cloud-config\n- " + canary, "user-data:2:1: cloud-config is not a mapping"},
		{"text", "#cloud-config\n" + canary, "user-data:2:1: cloud-config is not a mapping"},
		{"indentation", "#cloud-config\na: b\n c: " + canary + "\n", "user-data:3:3: not YAML: mapping values are not allowed in this context"},
		{"open quote", "#cloud-config\npassword: \"" + canary + "\n", "user-data:3:1: not YAML: found unexpected end of stream for what opens at line 2, column 11"},
		{"open bracket", "#cloud-config\npassword: [" + canary + "\n", "user-data:3:1: not YAML: did not find expected ',' or ']' for what opens at line 2, column 11"},
		{"tab", "#cloud-config\npassword:\n\t" + canary + "\n", "user-data:3:1: not YAML: found character that cannot start any token"},
		{"unknown alias", "#cloud-config\npassword: *" + canary + "\n", "user-data:2:11: not YAML: this alias has no anchor above it"},
		{"alias to itself", "#cloud-config\na: &" + canary + " [*" + canary + "]\n", "user-data:2:"},
		{"bad tag", "#cloud-config\na: !<" + canary + "\n", "user-data:2:"},
		{"not UTF-8", "#cloud-config\na: \xff" + canary + "\n", "user-data:2:4: not YAML: not UTF-8 text, or a control character"},
		{"control character", "#cloud-config\na: \x01" + canary + "\n", "user-data:2:4: not YAML: not UTF-8 text, or a control character"},
		{"key twice", "#cloud-config\ndockhost: {}\nx: 1\ndockhost: {x: " + canary + "}\n", "user-data:4:1: this key stands twice"},
		{"key twice elsewhere", "#cloud-config\nx:\n  y: {" + canary + ": 1, " + canary + ": 2}\n", "user-data:3:25: this key stands twice"},
		{"two documents", "#cloud-config\na: b\n---\ndockhost: {x: " + canary + "}\n", "user-data:3:1: a second YAML document begins here"},
		{"section is a list", "#cloud-config\ndockhost: [" + canary + "]\n", "user-data:2:1: dockhost is not a mapping"},
		{"section is empty", "#cloud-config\ndockhost:\n", "user-data:2:1: dockhost is not a mapping"},
		{"section is text", "#cloud-config\ndockhost: " + canary + "\n", "user-data:2:1: dockhost is not a mapping"},
		{"a misspelled section", "#cloud-config\nx: 1\ndockerhost: {x: " + canary + "}\n", `user-data:3:1: unknown key "dockerhost" (did you mean "dockhost"?)`},
		{"a section in the plural", "#cloud-config\ndockhosts: {}\n", "user-data:2:1: unknown key \"dockhosts\""},
		{"a section with a hyphen", "#cloud-config\ndocker-host: {}\n", "user-data:2:1: unknown key \"docker-host\""},
		{"a section in capitals", "#cloud-config\nDockhost: {}\n", "user-data:2:1: unknown key \"Dockhost\""},
		{"header forgotten", "dockhost:\n  password: " + canary + "\n", "user-data:1:1: the first line is not #cloud-config"},
		{"a billion laughs", laughs(), "too large once its aliases are followed"},
		{"deep", "#cloud-config\na: " + strings.Repeat("[", 500) + canary + strings.Repeat("]", 500), "user-data:2:104: nested too deeply"},
		{"gzip cut off", string(pack(t, good)[:20]), "user-data:1:1: damaged gzip"},
		{"gzip header cut off", "\x1f\x8b\x08", "user-data:1:1: damaged gzip"},
		{"gzip bomb", string(bomb), "user-data:1:1: larger than 16 MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			section, err := (&UserData{Path: "user-data", Raw: []byte(tt.text)}).Section(t.Context(), Options{})
			if err == nil {
				t.Fatalf("Section() = %+v, want an error", section)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), canary) {
				t.Errorf("Section() error = %v, want it to contain %q and no user data", err, tt.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("Section() error = %q, want one line", err)
			}
		})
	}
}

// Keys of cloud-init and of other programs are no misspellings, and neither is any
// key beside a dockhost section.
func TestNoNearMiss(t *testing.T) {
	for _, text := range []string{"docker: {}", "hostname: a", "dockhost: {}\ndockhosts: {}", "host: a", "coreos: {}"} {
		if _, err := (&UserData{Path: "user-data", Raw: []byte("#cloud-config\n" + text + "\n")}).Section(t.Context(), Options{}); err != nil {
			t.Errorf("Section(%q) error = %v, want none", text, err)
		}
	}
}
