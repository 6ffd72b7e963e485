package api

import "time"

// Stopped says that an operator has stopped the container. It stays stopped, over
// reboots too, until someone starts it or its assignment changes.
type Stopped struct {
	// At is when it was stopped.
	At time.Time `json:"at"`
	// By is the command that stopped it: "dockhostctl stop" or "systemctl stop".
	By string `json:"by"`
	// User is who called it, "" where nobody knows.
	User string `json:"user,omitempty"`
}
