package engine

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/google/go-cmp/cmp"
)

func TestReadMessagesOfPull(t *testing.T) {
	tests := []struct {
		name, stream string
		progress     Progress
		err          string
	}{
		{
			name:   "no layer yet",
			stream: `{"status":"Pulling from nginx","id":"1.22"}`,
		},
		{
			name: "half way",
			stream: `{"status":"Pulling fs layer","id":"a"}{"status":"Pulling fs layer","id":"b"}
				{"status":"Already exists","id":"c"}
				{"status":"Downloading","id":"a","progressDetail":{"current":10,"total":100}}`,
			progress: Progress{Layers: 3, LayersDone: 1, Bytes: 100, BytesDone: 10},
		},
		{
			name: "unpacking",
			stream: `{"status":"Downloading","id":"a","progressDetail":{"current":10,"total":100}}
				{"status":"Download complete","id":"a"}{"status":"Extracting","id":"a","progressDetail":{"current":1,"total":100}}`,
			progress: Progress{Layers: 1, Bytes: 100, BytesDone: 100, Downloaded: true},
		},
		{
			name: "done",
			stream: `{"status":"Downloading","id":"a","progressDetail":{"current":10,"total":100}}{"status":"Pull complete","id":"a"}
				{"status":"Digest: sha256:0123"}{"status":"Status: Downloaded newer image"}`,
			progress: Progress{Layers: 1, LayersDone: 1, Bytes: 100, BytesDone: 100, Downloaded: true},
		},
		{
			name:     "error in the stream",
			stream:   `{"status":"Pulling fs layer","id":"a"}{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}`,
			progress: Progress{Layers: 1},
			err:      "no space left on device",
		},
		{
			name:   "truncated",
			stream: `{"status":"Pulling fs layer","id":`,
			err:    "unexpected EOF",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLayers()
			err := readMessages(strings.NewReader(test.stream), func(m jsonmessage.JSONMessage) { l.observe(m) })
			if (err == nil) != (test.err == "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
				t.Errorf("readMessages() = %v, want %q", err, test.err)
			}
			if full := errors.Is(err, ErrNoSpace); full != strings.HasPrefix(test.err, "no space") {
				t.Errorf("errors.Is(%v, ErrNoSpace) = %t", err, full)
			}
			if diff := cmp.Diff(test.progress, l.progress()); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
		})
	}
}

// Docker 29 may end a short pull without telling that its layers are there.
func TestLayersAreDoneAfterPull(t *testing.T) {
	for name, stream := range map[string]string{
		"all present":       `{"status":"Pulling fs layer","id":"a"}{"status":"Status: Downloaded newer image"}`,
		"ends between":      `{"status":"Downloading","id":"a","progressDetail":{"current":10,"total":100}}{"status":"Download complete","id":"a"}`,
		"one layer is done": `{"status":"Pull complete","id":"a"}{"status":"Pulling fs layer","id":"b"}`,
	} {
		l := newLayers()
		if err := readMessages(strings.NewReader(stream), func(m jsonmessage.JSONMessage) { l.observe(m) }); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !l.finish() {
			t.Errorf("%s: finish() = false, want that a layer was not done", name)
		}
		if p := l.progress(); p.LayersDone != p.Layers || p.BytesDone != p.Bytes || !p.Downloaded {
			t.Errorf("%s: progress = %+v, want all of it", name, p)
		}
		if l.finish() {
			t.Errorf("%s: finish() = true at the second call", name)
		}
	}
	if newLayers().finish() {
		t.Error("finish() = true without a layer")
	}
}

// Only new bytes and states of layers count as progress: the store of containerd repeats
// its messages while nothing arrives.
func TestRepeatedMessagesAreNoProgress(t *testing.T) {
	l := newLayers()
	message := func(id, status string, current int64) jsonmessage.JSONMessage {
		return jsonmessage.JSONMessage{ID: id, Status: status, Progress: &jsonmessage.JSONProgress{Current: current, Total: 100}}
	}
	for i, step := range []struct {
		message jsonmessage.JSONMessage
		moves   bool
	}{
		{jsonmessage.JSONMessage{ID: "1.2", Status: "Pulling from app"}, true},
		{message("a", "Pulling fs layer", 0), true},
		{message("a", "Waiting", 0), false},
		{message("a", "Downloading", 10), true},
		{message("a", "Downloading", 10), false},
		{message("a", "Retrying in 5 seconds", 0), false},
		{message("a", "Downloading", 11), true},
		{message("a", "Download complete", 0), true},
		{message("a", "Download complete", 0), false},
		{message("a", "Extracting", 1), true},
		{message("a", "Extracting", 2), true},
		{message("a", "Pull complete", 0), true},
		{jsonmessage.JSONMessage{Status: "Digest: sha256:0"}, false},
	} {
		if got := l.observe(step.message); got != step.moves {
			t.Errorf("message %d, %q: moved = %t, want %t", i, step.message.Status, got, step.moves)
		}
	}
	l.observe(message("b", "Downloading", -5))
	for id := range 20_000 {
		l.observe(jsonmessage.JSONMessage{ID: strconv.Itoa(id), Status: "Downloading", Progress: &jsonmessage.JSONProgress{Total: 1 << 62}})
	}
	if p := l.progress(); p.Bytes != maxLayer || p.Need() < maxLayer {
		t.Errorf("progress = %+v, which needs %d: what a registry claims must not overflow", p, p.Need())
	}
}
