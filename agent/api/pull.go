package api

// PullProgress is a line of the answer to POST /v1/containers/NAME/pull. The answer has a
// line for each change, and ends with one that has an image or an error. The end of the
// connection ends the pull.
type PullProgress struct {
	// Doing says what is being done, in a sentence.
	Doing string `json:"doing,omitempty"`
	// Done and Total are bytes; 0 before the pull.
	Done  int64 `json:"done,omitempty"`
	Total int64 `json:"total,omitempty"`
	// Image is the image that the host has now. From is the one that the container runs.
	Image *Revision `json:"image,omitempty"`
	From  *Revision `json:"from,omitempty"`
	// Error is why the image could not be pulled.
	Error string `json:"error,omitempty"`
}

// Last reports whether this is the last line.
func (p PullProgress) Last() bool { return p.Image != nil || p.Error != "" }
