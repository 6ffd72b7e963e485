package agent

import (
	"sync"

	"github.com/dockhost/dockhost/agent/config"
	"github.com/dockhost/dockhost/agent/webhook"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/spec"
	settings "github.com/dockhost/dockhost/spec/update"
)

// configuration holds the agent's configuration, as it was last read without an
// error.
type configuration struct {
	root string

	mu sync.Mutex
	// valid is nil until a file without mistakes was read, or the file was missing.
	valid *config.Config
	// err is what is wrong with the file now.
	err error
}

// read reads the file, and says whether the valid configuration has changed. A
// file with mistakes changes nothing. At the start of the agent no user data is fetched
// until it is corrected, since it may name the datasources to use.
func (c *configuration) read() (changed bool) {
	current, err := config.Read(c.root, datasource.Names())
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.err = err
		return false
	}
	changed = c.valid == nil || !c.valid.Equal(current)
	c.valid, c.err = &current, nil
	return changed
}

// get returns the valid configuration, nil before the first one, and what is wrong
// with the file now.
func (c *configuration) get() (*config.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.valid, c.err
}

// update returns how a container is updated, with the defaults of the host.
func (c *configuration) update(container *spec.Container) spec.Update {
	var host *spec.Update
	if valid, _ := c.get(); valid != nil {
		host = valid.Update
	}
	return settings.For(container, host)
}

// webhook returns who is told how updates ended.
func (c *configuration) webhook() webhook.Target {
	if valid, _ := c.get(); valid != nil && valid.Webhook != nil {
		return webhook.Target{URL: valid.Webhook.URL, SecretFile: valid.Webhook.SecretFile}
	}
	return webhook.Target{}
}
