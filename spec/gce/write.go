package gce

import (
	"fmt"

	"github.com/dockhost/dockhost/spec/cloudconfig"
)

// CloudConfig returns the section as user data. Comments list the differences from
// konlet.
func (c *Conversion) CloudConfig() ([]byte, error) {
	remarks := differences()
	for _, n := range c.Notes {
		remarks = append(remarks, fmt.Sprintf("%s (line %d): %s", n.Path, n.Line, n.Text))
	}
	return cloudconfig.Write(c.Section, "Converted from "+Attribute+". Differences from konlet:", remarks...)
}

// differences returns the differences for every declaration.
func differences() []string {
	return []string{
		"output goes to the unit's journal instead of json-file with 3 files of 500 MB",
		"the container and its unit have the declared name, without klt- and four letters",
		"the firewall does not change; konlet opened it for tcp, udp and icmp",
	}
}
