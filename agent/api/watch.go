package api

import "time"

// Changed is a line of the answer to GET /v1/watch: the status may have changed. The
// first line comes at once, and the answer has no end.
type Changed struct {
	At time.Time `json:"at"`
}
