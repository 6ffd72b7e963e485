package update

import "github.com/dockhost/dockhost/spec"

// hashed remembers the hash of a container. Most turns of a machine find the same
// containers, and a hash takes most of the time of a turn. A container is not modified
// once it is declared.
type hashed struct {
	container *spec.Container
	hash      string
}

// of returns the [spec.Container.Hash] of a container.
func (h *hashed) of(c *spec.Container) string {
	if h.container != c {
		h.container, h.hash = c, c.Hash()
	}
	return h.hash
}
