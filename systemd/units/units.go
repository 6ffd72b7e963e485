// Package units has dockhost's unit files, and embeds the one that programs show.
package units

import _ "embed"

// Container is the text of the unit of one container, dockhost@.service.
//
//go:embed dockhost@.service
var Container string

// ContainerPath is where a package installs that unit.
const ContainerPath = "/usr/lib/systemd/system/dockhost@.service"
