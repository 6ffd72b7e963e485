package setup

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const runtimePath = "/usr/libexec/dockhost/dockhost-runtime"

const whole = `{
  "runtimes": {
    "dockhost": {
      "path": "/usr/libexec/dockhost/dockhost-runtime"
    }
  }
}
`

// pairs are daemon.json files before and after the registration.
var pairs = map[string]struct {
	before, after string
	// removed is the result of unregister(after), "" if it is before.
	removed string
}{
	"no file":                   {"", whole, "{}\n"},
	"blank":                     {" \n", whole, "{}\n"},
	"empty object":              {"{}\n", whole, ""},
	"empty object on two lines": {"{\n}\n", whole, "{}\n"},
	"no newline at the end":     {"{}", strings.TrimSuffix(whole, "\n"), ""},
	"other settings": {
		before: `{
    "log-driver": "journald",
    "log-opts": {"tag": "{{.Name}} <&>"},
    "mtu": 1460.0
}
`, after: `{
    "log-driver": "journald",
    "log-opts": {"tag": "{{.Name}} <&>"},
    "mtu": 1460.0,
    "runtimes": {
        "dockhost": {
            "path": "/usr/libexec/dockhost/dockhost-runtime"
        }
    }
}
`,
	},
	"tabs and another runtime": {
		before: "{\n\t\"runtimes\": {\n\t\t\"crun\": {\n\t\t\t\"path\": \"crun\"\n\t\t}\n\t},\n\t\"debug\": true\n}",
		after: "{\n\t\"runtimes\": {\n\t\t\"crun\": {\n\t\t\t\"path\": \"crun\"\n\t\t},\n\t\t\"dockhost\": {\n\t\t\t\"path\": \"" + runtimePath +
			"\"\n\t\t}\n\t},\n\t\"debug\": true\n}",
	},
	"CRLF": {
		before: "{\r\n  \"debug\": true\r\n}\r\n",
		after:  "{\r\n  \"debug\": true,\r\n  \"runtimes\": {\r\n    \"dockhost\": {\r\n      \"path\": \"" + runtimePath + "\"\r\n    }\r\n  }\r\n}\r\n",
	},
	"byte order mark": {
		before: "\xef\xbb\xbf{\"debug\": true}",
		after:  "\xef\xbb\xbf{\"debug\": true, \"runtimes\": {\"dockhost\": {\"path\": \"" + runtimePath + "\"}}}",
	},
	"byte order mark alone": {before: "\xef\xbb\xbf", after: "\xef\xbb\xbf" + whole, removed: "\xef\xbb\xbf{}\n"},
	"one line": {
		before: `{"debug":true,"runtimes":{"crun":{"path":"crun"}}}`,
		after:  `{"debug":true,"runtimes":{"crun":{"path":"crun"}, "dockhost": {"path": "` + runtimePath + `"}}}`,
	},
	"odd layout": {
		before: "\n { \"debug\"  :\ttrue\n ,   \"hosts\" : [ \"fd://\" ] }\n\n",
		after:  "\n { \"debug\"  :\ttrue\n ,   \"hosts\" : [ \"fd://\" ],\n \"runtimes\": {\n  \"dockhost\": {\n   \"path\": \"" + runtimePath + "\"\n  }\n } }\n\n",
	},
	"no indentation": {
		before: "{\n\"debug\": true\n}",
		after:  "{\n\"debug\": true,\n\"runtimes\": {\n  \"dockhost\": {\n    \"path\": \"" + runtimePath + "\"\n  }\n}\n}",
	},
	"empty runtimes": {
		before:  "{\n  \"runtimes\": {},\n  \"debug\": true\n}",
		after:   "{\n  \"runtimes\": {\n    \"dockhost\": {\n      \"path\": \"" + runtimePath + "\"\n    }\n  },\n  \"debug\": true\n}",
		removed: "{\n  \"debug\": true\n}",
	},
	"null runtimes": {
		before:  `{"runtimes": null}`,
		after:   `{"runtimes": {"dockhost": {"path": "` + runtimePath + `"}}}`,
		removed: `{}`,
	},
	"empty entry": {
		before:  `{"runtimes": {"dockhost": {}, "b": {"path": "b"}}}`,
		after:   `{"runtimes": {"dockhost": {"path": "` + runtimePath + `"}, "b": {"path": "b"}}}`,
		removed: `{"runtimes": {"b": {"path": "b"}}}`,
	},
	"another path": {
		before:  `{"runtimes": {"dockhost": { "path" : "/old" , "runtimeArgs": ["--debug"] }}}`,
		after:   `{"runtimes": {"dockhost": { "path" : "` + runtimePath + `" , "runtimeArgs": ["--debug"] }}}`,
		removed: `{}`,
	},
	"null path": {
		before:  `{"runtimes": {"dockhost": {"path": null}}}`,
		after:   `{"runtimes": {"dockhost": {"path": "` + runtimePath + `"}}}`,
		removed: `{}`,
	},
	"entry without path": {
		before:  `{"runtimes": {"dockhost": {"runtimeArgs": []}}, "debug": true}`,
		after:   `{"runtimes": {"dockhost": {"runtimeArgs": [], "path": "` + runtimePath + `"}}, "debug": true}`,
		removed: `{"debug": true}`,
	},
	"registered already": {before: strings.ReplaceAll(whole, "  ", "\t"), after: strings.ReplaceAll(whole, "  ", "\t"), removed: "{}\n"},
	"names in strings": {
		before: `{"labels": ["\"runtimes\": {\"dockhost\": {"], "\u0072untime": {"dockhost": 1}}`,
		after:  `{"labels": ["\"runtimes\": {\"dockhost\": {"], "\u0072untime": {"dockhost": 1}, "runtimes": {"dockhost": {"path": "` + runtimePath + `"}}}`,
	},
	"escaped name": {
		before: `{"\u0072untimes": {"b": {"path": "b"}}}`,
		after:  `{"\u0072untimes": {"b": {"path": "b"}, "dockhost": {"path": "` + runtimePath + `"}}}`,
	},
}

func TestRegister(t *testing.T) {
	for name, c := range pairs {
		t.Run(name, func(t *testing.T) {
			got, err := register([]byte(c.before), runtimePath)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.after, string(got)); diff != "" {
				t.Errorf("register(%q) (-want +got):\n%s", c.before, diff)
			}
			if again, err := register(got, runtimePath); err != nil || string(again) != string(got) {
				t.Errorf("register(%q) = %q, %v, want no change", got, again, err)
			}
			if path, err := registered(got); err != nil || path != runtimePath {
				t.Errorf("registered(%q) = %q, %v, want %q", got, path, err, runtimePath)
			}
		})
	}
}

func TestUnregister(t *testing.T) {
	for name, c := range pairs {
		t.Run(name, func(t *testing.T) {
			want := c.removed
			if want == "" {
				want = c.before
			}
			got, err := unregister([]byte(c.after))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("unregister(%q) (-want +got):\n%s", c.after, diff)
			}
			if again, err := unregister(got); err != nil || string(again) != string(got) {
				t.Errorf("unregister(%q) = %q, %v, want no change", got, again, err)
			}
		})
	}
}

func TestRefusedText(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"trailing comma":       {"{\n  \"debug\": true,\n}\n", "3:1: invalid character '}' looking for beginning of object key string"},
		"comment":              {"{\n  // no\n}", "2:3: invalid character '/' looking for beginning of object key string"},
		"truncated":            {"{\n  \"debug\": true", "2:16: unexpected end of JSON input"},
		"last character wrong": {"{\"a\": 1]", "1:8: invalid character ']' after object key:value pair"},
		"two values":           {"{}\n{}", "2:1: invalid character '{' after top-level value"},
		"UTF-16":               {"\xff\xfe{\x00}\x00", "1:1: invalid character 'ÿ' looking for beginning of value"},
		"after a mark":         {"\xef\xbb\xbf{]", "1:2: invalid character ']' looking for beginning of object key string"},
		"a list":               {" []", "1:2: the configuration is not an object"},
		"null":                 {"null", "1:1: the configuration is not an object"},
		"runtimes a list":      {"{\n  \"debug\": true,\n  \"runtimes\": [\"dockhost\"]\n}", "3:15: runtimes is not an object"},
		"entry a string":       {`{"runtimes": {"dockhost": "/x"}}`, "1:27: runtimes.dockhost is not an object"},
		"path a number":        {"{\"runtimes\": {\"dockhost\": {\n\"path\": 1}}}", "2:9: runtimes.dockhost.path is not a string"},
		"default a number":     {`{"default-runtime": 1}`, "1:21: default-runtime is not a string"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := register([]byte(c.text), runtimePath); err == nil || err.Error() != c.want {
				t.Errorf("register(%q) = %q, %v, want error %q", c.text, got, err, c.want)
			}
			if got, err := unregister([]byte(c.text)); err == nil || err.Error() != c.want {
				t.Errorf("unregister(%q) = %q, %v, want error %q", c.text, got, err, c.want)
			}
		})
	}
}

func TestUnregisterTheDefaultRuntime(t *testing.T) {
	const text = `{"default-runtime": "dockhost", "runtimes": {"dockhost": {"path": "/x"}}}`
	const want = `1:21: default-runtime is "dockhost" (change default-runtime first)`
	if got, err := unregister([]byte(text)); err == nil || err.Error() != want {
		t.Errorf("unregister(%q) = %q, %v, want error %q", text, got, err, want)
	}
}

// FuzzRegister checks that register changes only the path, and that unregister removes
// it again.
func FuzzRegister(f *testing.F) {
	for _, c := range pairs {
		f.Add(c.before)
	}
	f.Add(`{"runtimes": {"dockhost": {"path": "a"}, "dockhost": {}}, "runtimes": {}}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := register([]byte(text), runtimePath)
		if err != nil {
			return
		}
		if path, err := registered(got); err != nil || path != runtimePath {
			t.Fatalf("registered(register(%q) = %q) = %q, %v, want %q", text, got, path, err, runtimePath)
		}
		if diff := cmp.Diff(withoutRuntimes(t, text), withoutRuntimes(t, string(got))); diff != "" {
			t.Errorf("register(%q) = %q changed more than the runtime (-want +got):\n%s", text, got, diff)
		}
		if _, err := unregister(got); err != nil && !strings.Contains(err.Error(), "default-runtime") {
			t.Errorf("unregister(%q) = %v", got, err)
		}
	})
}

// withoutRuntimes decodes a daemon.json and drops the runtimes.
func withoutRuntimes(t *testing.T, text string) map[string]json.RawMessage {
	t.Helper()
	config := map[string]json.RawMessage{}
	if text = strings.TrimSpace(strings.TrimPrefix(text, byteOrderMark)); text == "" {
		return config
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
	delete(config, "runtimes")
	return config
}
