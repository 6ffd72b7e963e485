package journal

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestLog(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	log := zap.New(core)
	Ready.Log(log, zap.String("image", "shop:1"))
	Problem.Error(log, "disk full")
	Name("update-unheard").Log(log)
	all := logs.All()
	want := map[string]any{"image": "shop:1", "MESSAGE_ID": Ready.ID(), "DOCKHOST_EVENT": "ready"}
	if diff := cmp.Diff(want, all[0].ContextMap()); diff != "" || all[0].Message != "container is ready" {
		t.Errorf("message %q, fields (-want +got):\n%s", all[0].Message, diff)
	}
	if all[1].Message != "disk full" || all[1].Level != zapcore.ErrorLevel {
		t.Errorf("Error() = %v %q", all[1].Level, all[1].Message)
	}
	if all[2].Message != "update-unheard" {
		t.Errorf("unknown event = %q", all[2].Message)
	}
}

// Each entry of a subject says what is known when it is written.
func TestSubject(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	subject := &Subject{}
	log := zap.New(core).With(subject.Field())
	subject.Set(func(a *About) { a.Name, a.Unit, a.Image, a.Phase = "web", "dockhost@web.service", "shop:1", "pulling" })
	log.Info("one")
	got := logs.All()[0].ContextMap()
	want := map[string]any{
		"CONTAINER_NAME": "web", "CONTAINER_TAG": "web", "IMAGE_NAME": "shop:1", "OBJECT_SYSTEMD_UNIT": "dockhost@web.service", "DOCKHOST_PHASE": "pulling",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// Entries about a container get its fields, unless they have them. Others get none.
func TestWrap(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	var events []Entry
	wrapped := Wrap(core, func(name string) About { return About{Name: name, ID: strings.Repeat("a", 64), Image: "shop:1"} }, func(e Entry) {
		events = append(events, e)
	})
	log := zap.New(wrapped)
	log.Info("about the host")
	log.Debug("not written")
	narrowed := log.With(zap.String("container", "web"))
	narrowed.Info("about one", zap.String("IMAGE_NAME", "shop:2"))
	Stopping.Log(narrowed, zap.String("by", "root"))
	all := logs.All()
	if diff := cmp.Diff(map[string]any{}, all[0].ContextMap()); diff != "" {
		t.Errorf("fields of the host (-want +got):\n%s", diff)
	}
	want := map[string]any{
		"container": "web", "CONTAINER_NAME": "web", "CONTAINER_TAG": "web", "IMAGE_NAME": "shop:2",
		"CONTAINER_ID": strings.Repeat("a", 12), "CONTAINER_ID_FULL": strings.Repeat("a", 64),
	}
	if diff := cmp.Diff(want, all[1].ContextMap()); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if len(all) != 3 || len(events) != 1 || events[0].Name != Stopping || events[0].Fields["by"] != "root" || events[0].Fields["container"] != "web" {
		t.Errorf("wrote %d entries, events %+v", len(all), events)
	}
}

// The catalog and docs/journal.md have each event, and no other.
func TestCatalogAndDocs(t *testing.T) {
	explained := map[string]string{}
	for _, part := range strings.Split("\n"+read(t, "packaging/catalog/dockhost.catalog"), "\n-- ")[1:] {
		id, text, _ := strings.Cut(part, "\n")
		explained[id] = text
	}
	_, table, _ := strings.Cut(read(t, "docs/journal.md"), "<!-- events -->\n")
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([0-9a-f]+)` \\| .+ \\|$").FindAllStringSubmatch(table, -1) {
		documented[row[1]] = row[2]
	}
	want, ids := map[string]string{}, map[string]bool{}
	for _, name := range All() {
		id := name.ID()
		want[string(name)] = id
		if ids[id] || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("MESSAGE_ID of %s = %q, want 32 hexadecimal digits of its own", name, id)
		}
		ids[id] = true
		if !strings.Contains(explained[id], "Subject: ") {
			t.Errorf("the catalog does not explain %s (%s)", name, id)
		}
	}
	if len(explained) != len(ids) {
		t.Errorf("the catalog explains %d messages, want %d", len(explained), len(ids))
	}
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("docs/journal.md (-code +page):\n%s", diff)
	}
}

// The catalog names fields that some call of the event sets.
func TestCatalogNamesFields(t *testing.T) {
	known := map[string]bool{}
	for _, name := range []string{
		"CONTAINER_NAME", "OBJECT_SYSTEMD_UNIT", "IMAGE_NAME", // of each entry about a container
		"DOCKHOST_UPDATE_WHY", "DOCKHOST_UPDATE_TO",
		"BY", "TO", "WHY", "PROBLEM", "IMAGE", "DIGEST", "BYTES", "SECONDS", "EXIT_CODE", "ERROR", "REASON",
	} {
		known[name] = true
	}
	for _, name := range regexp.MustCompile(`@([A-Z_]+)@`).FindAllStringSubmatch(read(t, "packaging/catalog/dockhost.catalog"), -1) {
		if !known[name[1]] {
			t.Errorf("the catalog names the field %s, which no event has", name[1])
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
