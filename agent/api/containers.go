package api

import "time"

// Accepted is the answer to PUT /v1/containers/NAME, once the declaration in the body
// is saved, and the agent has begun to put it in force.
type Accepted struct {
	// Unit is the unit of the container.
	Unit string `json:"unit"`
	// At is when it was accepted, by the agent's clock.
	At time.Time `json:"at"`
}

// Progress is a line of the answer to GET /v1/containers/NAME/progress?since=AT. The
// answer has a line for each change, and ends with one that is Ready or has an Error.
type Progress struct {
	// Doing says what is being done to run the container, in a sentence.
	Doing string `json:"doing,omitempty"`
	// Ready says that the container is ready as it was declared last, or has ended
	// without an error.
	Ready bool `json:"ready,omitempty"`
	// Error is what failed since the time in the request. It may still be tried
	// again.
	Error string `json:"error,omitempty"`
}

// Last reports whether this is the last line.
func (p Progress) Last() bool { return p.Ready || p.Error != "" }

// Refusal is the answer to a request that was refused.
type Refusal struct {
	// Problems are all reasons.
	Problems []string `json:"problems"`
}
