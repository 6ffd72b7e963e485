package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/config"
	"github.com/dockhost/dockhost/agent/housekeeping"
	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// An image that cannot fit is refused before its pull. One that may fit is pulled, even
// if its registry does not say how large it is.
func TestPullFits(t *testing.T) {
	const mb = 1 << 20
	tests := []struct {
		name     string
		free     int64
		download int64
		err      error
		want     string // part of the error; "" for success
	}{
		{"fits", 500 * mb, 100 * mb, nil, ""},
		{"may fit", 150 * mb, 100 * mb, nil, ""},
		{"cannot fit", 50 * mb, 100 * mb, nil, `image "nginx:1" was not pulled: 104.9MB have to be downloaded, and do not fit: `},
		{"not known", 50 * mb, 0, errors.New("no answer"), ""},
		{"not trusted", 500 * mb, 0, fmt.Errorf("ask: %w: its answer is too long", engine.ErrUntrusted), `image "nginx:1" was not pulled: ask: the registry cannot be trusted: `},
		{"not asked", ampleRoom + 1, 1 << 60, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newTestHost(t)
			docker, err := engine.New(engine.Options{Host: enginetest.NewServer(t).Address()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = docker.Close() })
			a := h.agent(func(o *Options) {
				o.Store = docker
				o.PullSize = func(context.Context, string, string) (int64, error) { return test.download, test.err }
			})
			a.house.keeper.Statfs = func(root string) (housekeeping.Disk, error) {
				return housekeeping.Disk{Root: root, Used: 10 * mb, Free: test.free, Files: 100, FilesFree: 90}, nil
			}
			h.engine.registry["nginx:1"] = true
			a.config.valid = &config.Config{}
			_, err = a.updates.parts.preparer.puller.pull(t.Context(), &spec.Container{Name: "web", Image: "nginx:1"}, func(update.Step) {})
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
			if pulled := h.engine.images["nginx:1"]; pulled != (err == nil) {
				t.Errorf("pulled = %t with the error %v", pulled, err)
			}
		})
	}
}
