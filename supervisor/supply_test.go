package supervisor

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// onNetworks puts the container on these networks.
func (r *rig) onNetworks(networks ...spec.Network) {
	r.spec.Networks = networks
	r.spec.HostConfig.NetworkMode = container.NetworkMode(networks[0].Name)
	r.spec.Networking = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{}}
	for _, n := range networks {
		r.spec.Networking.EndpointsConfig[n.Name] = &network.EndpointSettings{Aliases: []string{"app"}}
	}
}

// A container runs on networks and with volumes that were missing.
func TestSupply(t *testing.T) {
	r := newRig(t)
	r.onNetworks(spec.Network{Name: "shop_default", Labels: map[string]string{spec.LabelProject: "shop"}}, spec.Network{Name: "shop_back", Internal: true})
	r.spec.Volumes = []spec.Volume{{Name: "shop_data"}}
	l := r.start()
	l.ready()
	l.stop()
	l.ends(0, "")
	if got := r.server.Networks(); !slices.Equal(got, []string{"shop_back", "shop_default"}) {
		t.Errorf("networks after the end = %q, want both", got)
	}
	n, err := r.engine().Network(t.Context(), "shop_default")
	if err != nil || n.Labels[spec.LabelProject] != "shop" || n.Labels[spec.LabelMade] == "" {
		t.Errorf("Network() = %+v, %v, want it labelled", n, err)
	}
	v, err := r.engine().Volume(t.Context(), "shop_data")
	if err != nil || v.Labels[spec.LabelMade] == "" {
		t.Errorf("Volume() = %+v, %v, want it labelled", v, err)
	}
}

// What must exist is not created.
func TestSupplyMissing(t *testing.T) {
	r := newRig(t)
	r.onNetworks(spec.Network{Name: "proxy", External: true})
	r.spec.Volumes = []spec.Volume{{Name: "uploads", External: true}}
	l := r.start()
	<-l.done
	for _, want := range []string{"docker network create proxy", "docker volume create uploads"} {
		if l.code != ExitNotRun || l.err == nil || !strings.Contains(l.err.Error(), want) {
			t.Errorf("Run() = %d, %v, want %d and %q", l.code, l.err, ExitNotRun, want)
		}
	}
	if got := r.server.Networks(); len(got) > 0 {
		t.Errorf("networks = %q, want none", got)
	}
}

// Supervisors that start at the same time create a network once. The fake refuses a
// second one of the same name.
func TestSupplyOnce(t *testing.T) {
	r := newRig(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			m := &maker{engine: r.engine(), container: &spec.Container{Networks: []spec.Network{{Name: "shop_default"}}}, dir: r.dir, log: zap.NewNop()}
			if err := m.supply(t.Context()); err != nil {
				t.Errorf("supply() = %v", err)
			}
		})
	}
	group.Wait()
}

func TestDifferences(t *testing.T) {
	declared := spec.Network{
		Name: "front", Internal: true, EnableIPv6: true, Options: map[string]string{"mtu": "1400"},
		IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.1.0.0/16"}}},
	}
	same := engine.Network{
		Driver: "bridge", Internal: true, EnableIPv6: true, Options: map[string]string{"mtu": "1400", "other": "x"},
		IPAM: network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.1.0.0/16", Gateway: "10.1.0.1"}}},
	}
	if got := networkDifferences(&declared, &same); len(got) > 0 {
		t.Errorf("networkDifferences() = %q, want none", got)
	}
	want := []string{"driver", "internal", "enable_ipv6", "driver_opts", "ipam"}
	if got := networkDifferences(&declared, &engine.Network{Driver: "overlay"}); !slices.Equal(got, want) {
		t.Errorf("networkDifferences() = %q, want %q", got, want)
	}
	volume := spec.Volume{Name: "data", Options: map[string]string{"type": "nfs"}}
	if got := volumeDifferences(&volume, &engine.Volume{Driver: "nfs"}); !slices.Equal(got, []string{"driver", "driver_opts"}) {
		t.Errorf("volumeDifferences() = %q", got)
	}
}
