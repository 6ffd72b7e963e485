// Package cloudinit owns user data: where an instance finds it (the
// datasources of cloud-init) and the formats that it comes in. It hands over
// the `dockhost:` section as YAML with its positions and knows nothing of what
// the section means. It only reads, only below the root that it is given, and
// it never puts user data into an error or a log: user data holds secrets.
package cloudinit

import (
	"errors"
	"fmt"
)

// ErrNotFound says that no datasource has data for this host.
var ErrNotFound = errors.New("no datasource has user data for this host")

// maxSize bounds user data, both as found and unpacked. EC2 and GCE allow
// 16 KiB and 256 KiB, a seed directory has no limit of its own.
const maxSize = 16 << 20

// UserData is what the instance was given. It holds secrets.
type UserData struct {
	// Datasource is the name cloud-init has for the source: "NoCloud".
	Datasource string
	// InstanceID is the instance-id of the meta-data, or "nocloud" when the
	// meta-data has none, as in cloud-init.
	InstanceID string
	// Path is the file that the user data was read from, without the root.
	Path string
	// Raw is the user data as it was found: plain or packed.
	Raw []byte
}

// Read returns the user data of this host: the first datasource below root
// that has any. The error is ErrNotFound when none has; it then also names
// what is incomplete.
func Read(root string) (*UserData, error) {
	return readNoCloud(root)
}

// SyntaxError says where user data or meta-data is wrong. It never quotes
// what stands there.
type SyntaxError struct {
	// File is the base name of the file: "user-data" or "meta-data".
	File string
	// Line and Column count from 1 in the unpacked text.
	Line, Column int
	// Message says what is wrong and what to do.
	Message string
}

// Error returns "FILE:LINE:COLUMN: MESSAGE".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}
