// Package packaging holds what a package ships beside the programs, as far as
// the programs show it.
package packaging

import _ "embed"

// Unit is the unit file of a container, dockhost@.service.
//
//go:embed units/dockhost@.service
var Unit string

// UnitPath is where a package puts it.
const UnitPath = "/usr/lib/systemd/system/dockhost@.service"
