package gce

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// service has the nodes of the Compose service. Nodes are nil for keys that the
// declaration does not set.
type service struct {
	mapping *yaml.Node
	image   spot
	restart *yaml.Node

	entrypoint, command, environment *yaml.Node
	privileged, stdin, tty           *yaml.Node
	// volumes and tmpfs are in the order of the declaration.
	volumes, tmpfs []*yaml.Node
	// mounts is x-dockhost.mounts.
	mounts *yaml.Node
}

// assemble returns the Compose service. As konlet did for every container, it
// pulls at each start and uses the host's network.
func (c *converter) assemble(s *service) *yaml.Node {
	put := func(name string, value *yaml.Node) {
		if value != nil {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: value.Line, Column: value.Column}
			c.put(s.mapping, key, value)
		}
	}
	put("image", c.value(s.image, s.image.Text()))
	put("pull_policy", c.text(s.image, "always"))
	put("network_mode", c.text(s.image, "host"))
	put("restart", s.restart)
	put("entrypoint", s.entrypoint)
	put("command", s.command)
	put("environment", s.environment)
	put("privileged", s.privileged)
	put("stdin_open", s.stdin)
	put("tty", s.tty)
	put("volumes", sequence(s.volumes))
	put("tmpfs", sequence(s.tmpfs))
	if s.mounts != nil {
		extension := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: s.mounts.Line, Column: s.mounts.Column}
		c.put(extension, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "mounts", Line: s.mounts.Line, Column: s.mounts.Column}, s.mounts)
		put("x-dockhost", extension)
	}
	return s.mapping
}

func sequence(items []*yaml.Node) *yaml.Node {
	if len(items) == 0 {
		return nil
	}
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items, Line: items[0].Line, Column: items[0].Column}
}

// Each node has the position of the declaration's node that it comes from.

func (c *converter) at(at spot, n *yaml.Node) *yaml.Node {
	n.Line, n.Column = at.Position()
	// An item of a list and its first key have the same position: keep the longer
	// path, which is more precise.
	if where := (position{n.Line, n.Column}); len(at.Path) > len(c.paths[where]) {
		c.paths[where] = at.Path
	}
	return n
}

func (c *converter) mapping(at spot) *yaml.Node {
	return c.at(at, &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"})
}

func (c *converter) list(at spot) *yaml.Node {
	return c.at(at, &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"})
}

func (c *converter) scalar(at spot, tag, value string) *yaml.Node {
	return c.at(at, &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value})
}

// text returns a string without "$".
func (c *converter) text(at spot, value string) *yaml.Node { return c.scalar(at, "!!str", value) }

// key returns the name of a key.
func (c *converter) key(at spot, name string) *yaml.Node { return c.text(at, name) }

// value returns a string from the declaration. A "$" has no special meaning in a
// declaration, so it is doubled to be literal in the section.
func (c *converter) value(at spot, value string) *yaml.Node {
	return c.scalar(at, "!!str", strings.ReplaceAll(value, "$", "$$"))
}

func (c *converter) put(mapping, key, value *yaml.Node) {
	mapping.Content = append(mapping.Content, key, value)
}
