package docs

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

const composePage = "docs/compose.md"

// judgement says how the parser treats a key of a service.
type judgement string

const (
	understood judgement = "understood"
	refused    judgement = "refused, with what to do instead"
	unknown    judgement = "unknown"
)

// TestComposeKeys compares the tables of keys with what the parser does with each
// key of Compose.
func TestComposeKeys(t *testing.T) {
	documented := map[string]judgement{}
	for name, as := range map[string]judgement{"keys": understood, "refused": refused} {
		for _, row := range table(t, composePage, name) {
			for _, key := range spans(row[0]) {
				documented[key] = as
			}
		}
	}
	known := map[string]bool{}
	for _, key := range composeKeys() {
		known[key] = true
		if got := judge(t, key); got != documented[key] {
			t.Errorf("key %q: the parser says %s, the page says %q", key, got, documented[key])
		}
	}
	for key := range documented {
		if !known[key] && judge(t, key) != documented[key] {
			t.Errorf("the page says that the key %q is %s, and the parser says %s", key, documented[key], judge(t, key))
		}
	}
}

// composeKeys returns the keys of a service, from Compose's own library.
func composeKeys() []string {
	var keys []string
	for field := range reflect.TypeFor[types.ServiceConfig]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		// "net" is network_mode in files of 2014.
		if field.Tag.Get("json") != "-" && name != "" && name != "net" && !strings.HasPrefix(name, "#") {
			keys = append(keys, name)
		}
	}
	return keys
}

// judge returns what the parser does with a key. A key below another one has a
// path, such as deploy.labels.
func judge(t *testing.T, path string) judgement {
	t.Helper()
	names := strings.Split(path, ".")
	key := names[len(names)-1]
	service := key + ": null"
	for i := len(names) - 2; i >= 0; i-- {
		service = names[i] + ": {" + service + "}"
	}
	all := strings.Join(problems(t, "#cloud-config\ndockhost: {containers: {web: {"+service+"}}}\n"), "\n")
	switch {
	case strings.Contains(all, fmt.Sprintf("cannot use %q on a single host", key)):
		return refused
	case strings.Contains(all, fmt.Sprintf("unknown key %q", key)):
		return unknown
	}
	return understood
}

// TestReservedSettings checks that the parser refuses each unit setting in the
// table of refused settings.
func TestReservedSettings(t *testing.T) {
	for _, row := range table(t, composePage, "reserved") {
		section := spans(row[0])[0]
		for _, key := range spans(row[1]) {
			text := fmt.Sprintf("#cloud-config\ndockhost: {containers: {web: {image: nginx, x-dockhost: {unit: {%s: {%s: x}}}}}}\n", section, key)
			if got := problems(t, text); len(got) != 1 || !strings.Contains(got[0], "cannot set "+key) {
				t.Errorf("problems of %s in [%s] = %q, want it refused", key, section, got)
			}
		}
	}
}
