// Package units has dockhost's unit files and embeds the one that programs show.
package units

import _ "embed"

// Container is the text of dockhost@.service, the unit of a container.
//
//go:embed dockhost@.service
var Container string

// ContainerPath is the path at which packages install that unit.
const ContainerPath = "/usr/lib/systemd/system/dockhost@.service"
