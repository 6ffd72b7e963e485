package preview

import (
	"fmt"
	"maps"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/request"
)

// Supply is a network or a named volume that containers use.
type Supply struct {
	Name string `json:"name"`
	// External is true if it must exist already.
	External bool `json:"external,omitempty"`
	// Create is the request that creates it if it is missing; nil if it is external.
	Create *Create `json:"create,omitempty"`
}

// addSupplies adds the networks and volumes of a container, each once.
func (r *Rendering) addSupplies(c *spec.Container, showEnv bool) error {
	for _, n := range c.Networks {
		create := network.CreateRequest{Name: n.Name, CreateOptions: request.Network(&n)}
		if err := addSupply(&r.Networks, n.Name, n.External, "/networks/create", create, network.CreateRequest{}); err != nil {
			return err
		}
	}
	for _, v := range c.Volumes {
		made := request.Volume(&v)
		create := volume.CreateOptions{Name: made.Name, Driver: made.Driver, DriverOpts: made.Options, Labels: made.Labels}
		if !showEnv {
			create.DriverOpts = maskOptions(made.Options)
		}
		if err := addSupply(&r.Volumes, v.Name, v.External, "/volumes/create", create, volume.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func addSupply(to *[]Supply, name string, external bool, path string, create, zero any) error {
	for _, other := range *to {
		if other.Name == name {
			return nil
		}
	}
	supply := Supply{Name: name, External: external}
	if !external {
		body, err := changed(create, zero)
		if err != nil {
			return fmt.Errorf("render %s: %w", name, err)
		}
		supply.Create = &Create{Path: path, Body: body}
	}
	*to = append(*to, supply)
	return nil
}

// maskOptions masks the passwords in the mount options of a network file system, such
// as "username=me,password=secret".
func maskOptions(options map[string]string) map[string]string {
	options = maps.Clone(options)
	for key, value := range options {
		parts := strings.Split(value, ",")
		for i, part := range parts {
			if name, _, has := strings.Cut(part, "="); has && holdsSecret(name) {
				parts[i] = name + "=" + masked
			}
		}
		options[key] = strings.Join(parts, ",")
		if holdsSecret(key) {
			options[key] = masked
		}
	}
	return options
}

// print writes the request that creates the network or volume.
func (s Supply) print(text *strings.Builder, kind string) error {
	if s.Create == nil {
		_, err := fmt.Fprintf(text, "# %s %s must exist\n\n", kind, s.Name)
		return err
	}
	fmt.Fprintf(text, "# %s %s, created if it is missing\n# POST %s\n", kind, s.Name, s.Create.Path)
	if err := printJSON(text, s.Create.Body); err != nil {
		return err
	}
	text.WriteString("\n")
	return nil
}
