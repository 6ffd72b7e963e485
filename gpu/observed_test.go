package gpu

import (
	"errors"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/nvidia/standin"
	"github.com/dockhost/dockhost/spec"
)

// The agent refuses a container for what it sees, and leaves the rest to the supervisor.
func TestObserved(t *testing.T) {
	tests := map[string]struct {
		change  func(h *standin.Host)
		problem string // "" for ErrUnprepared
	}{
		"no GPU":         {func(h *standin.Host) { *h = standin.Host{} }, "this host has no NVIDIA GPU"},
		"no description": {func(*standin.Host) {}, ""},
		"an unloaded driver": {func(h *standin.Host) {
			h.Driver, h.GPUs[0].Bound = "", ""
		}, ""},
		"hidden modules": {func(h *standin.Host) {
			h.Driver, h.Module, h.GPUs[0].Bound = "", false, ""
		}, ""},
		"a driver that initializes its GPU": {func(h *standin.Host) { h.GPUs[0].Model = "" }, ""},
		"another driver": {func(h *standin.Host) {
			h.Driver, h.GPUs[0].Bound = "", "nouveau"
		}, "nouveau is bound to the GPU"},
		"libraries of another version": {func(h *standin.Host) { h.Libraries = "560.35.03" }, "560.35.03"},
	}
	for name, test := range tests {
		host, root := standin.One(), t.TempDir()
		test.change(&host)
		if err := host.Write(root); err != nil {
			t.Fatal(err)
		}
		needs := &spec.GPUNeeds{Requests: named("0")}
		_, err := Attach(t.Context(), Observed{Machine{Root: root}}, needs, nil, func(attachment.Message) {})
		if test.problem == "" && !errors.Is(err, ErrUnprepared) || test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
			t.Errorf("%s: Attach() = %v, want %q", name, err, test.problem)
		}
	}
}
