package agent

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/spec"
)

// The agent removes the networks that dockhost made and nothing needs, and no others.
func TestSweepNetworks(t *testing.T) {
	h := newTestHost(t)
	made := map[string]string{spec.LabelMade: "yes"}
	h.engine.networks = map[string]map[string]string{"blog_default": made, spec.DefaultNetwork: made, "proxy": {}}
	h.userData("i-1", containers("web nginx:1", "db postgres:1"))
	a := h.agent()
	if err := a.sweeper.networks.sweep(t.Context()); err != nil || len(h.engine.networks) != 3 {
		t.Errorf("sweep() before it is known what is assigned = %v, leaves %v", err, h.engine.networks)
	}
	a.takeOver(t.Context()).wait()
	if err := a.sweeper.networks.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{spec.DefaultNetwork, "proxy"}
	if got := slices.Sorted(maps.Keys(h.engine.networks)); !slices.Equal(got, want) {
		t.Errorf("networks = %q, want %q", got, want)
	}
}

// What must exist is missed before the old container is stopped.
func TestCheckSupplies(t *testing.T) {
	h := newTestHost(t)
	p := h.agent().updates.parts.preparer
	next := &spec.Container{
		HostConfig: &container.HostConfig{NetworkMode: "proxy"},
		Networks:   []spec.Network{{Name: "proxy", External: true}, {Name: "shop_default"}},
		Volumes:    []spec.Volume{{Name: "uploads", External: true}, {Name: "shop_data"}},
	}
	want := []string{"docker network create proxy", "docker volume create uploads"}
	for _, cure := range want {
		if err := p.checkSupplies(t.Context(), next); err == nil || !strings.Contains(err.Error(), cure) || strings.Contains(err.Error(), "shop") {
			t.Errorf("checkSupplies() = %v, want %q", err, want)
		}
	}
	h.engine.networks, h.engine.volumes = map[string]map[string]string{"proxy": {}}, map[string]string{"uploads": ""}
	if err := p.checkSupplies(t.Context(), next); err != nil {
		t.Errorf("checkSupplies() = %v, want nil", err)
	}
	mode := &spec.Container{HostConfig: &container.HostConfig{NetworkMode: "back"}}
	if err := p.checkSupplies(t.Context(), mode); err == nil || !strings.Contains(err.Error(), `network "back" does not exist`) {
		t.Errorf("checkSupplies() with network_mode = %v, want it missed", err)
	}
	mode.HostConfig.NetworkMode = "host"
	if err := p.checkSupplies(t.Context(), mode); err != nil {
		t.Errorf("checkSupplies() with network_mode: host = %v", err)
	}
}
