package api

import "time"

// Accepted is the answer to PUT /v1/containers/NAME, once the declaration in
// the body is kept and what it takes to put it in force has begun.
type Accepted struct {
	// Unit is the container's.
	Unit string `json:"unit"`
	// At is when it was accepted, by the agent's clock.
	At time.Time `json:"at"`
}

// Progress is a line of the answer to GET /v1/containers/NAME/progress?since=AT,
// which has one for each change and ends with one that is Ready or has an
// Error.
type Progress struct {
	// Doing is what is being done to have the container run, in a sentence.
	Doing string `json:"doing,omitempty"`
	// Ready says that the container is ready as it was declared last, or that it
	// did its work and ended well.
	Ready bool `json:"ready,omitempty"`
	// Error is what failed since the time that was asked for. It may be tried
	// again all the same.
	Error string `json:"error,omitempty"`
}

// Last says whether nothing comes after it.
func (p Progress) Last() bool { return p.Ready || p.Error != "" }

// Refusal is the answer to a request that was not carried out.
type Refusal struct {
	// Problems is everything that is in the way.
	Problems []string `json:"problems"`
}
