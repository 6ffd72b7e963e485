package engine

import (
	"errors"
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
