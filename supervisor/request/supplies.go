package request

import (
	"maps"

	"github.com/docker/docker/api/types/network"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// Network returns the options with which a missing network is created.
func Network(n *spec.Network) network.CreateOptions {
	options := network.CreateOptions{
		Driver: "bridge", Internal: n.Internal, Attachable: n.Attachable, IPAM: n.IPAM,
		Options: n.Options, Labels: madeLabels(n.Labels),
	}
	if n.EnableIPv6 {
		options.EnableIPv6 = &n.EnableIPv6
	}
	return options
}

// Volume returns a missing volume as it is created.
func Volume(v *spec.Volume) engine.Volume {
	return engine.Volume{Name: v.Name, Driver: "local", Options: v.Options, Labels: madeLabels(v.Labels)}
}

func madeLabels(declared map[string]string) map[string]string {
	labels := map[string]string{spec.LabelMade: "yes"}
	maps.Copy(labels, declared)
	return labels
}
