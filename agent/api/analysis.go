package api

// Analysis is the answer to GET /v1/analysis: how long the phases of this boot and of the
// last start of each container took.
type Analysis struct {
	// Version is [Version].
	Version int `json:"version"`
	// Boot are the phases of this boot, in the order in which they ended.
	Boot []Phase `json:"boot"`
	// Containers are sorted by the time at which their start began.
	Containers []Start `json:"containers"`
}

// Start is the last start of a container.
type Start struct {
	Name  string `json:"name"`
	Image string `json:"image"`
	// Phases are in the order in which they began: docker (waiting for it), login, pull,
	// create, start, and ready (waiting for it). Without a pull there is "image", the
	// time to find the image on the host.
	Phases []Phase `json:"phases"`
	// Seconds is how long the start took until now, or until the container was ready.
	Seconds float64 `json:"seconds"`
	// Ready says whether the container has become ready.
	Ready bool `json:"ready"`
	// PulledBytes is how much was downloaded for this start.
	PulledBytes int64 `json:"pulled_bytes,omitempty"`
}

// Phase is a time span.
type Phase struct {
	Name string `json:"name"`
	// At is when it began, in seconds since systemd started.
	At float64 `json:"at"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
	// Detail says what it was about: the datasource, or the image.
	Detail string `json:"detail,omitempty"`
}
