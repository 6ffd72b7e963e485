package api

import "time"

// Operated is the answer to POST /v1/containers/NAME/start, stop, restart and reload.
type Operated struct {
	// Unit is the unit of the container.
	Unit string `json:"unit"`
	// At is when the agent accepted the request. GET /v1/containers/NAME/progress with
	// this time reports what follows.
	At time.Time `json:"at"`
	// Note is what the caller should know although the request was carried out: that it
	// could not be saved for the next boot.
	Note string `json:"note,omitempty"`
}
