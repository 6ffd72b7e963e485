package api

import "time"

// Event is something that dockhost did, or noticed. GET /v1/events answers with a line
// of JSON for each, the oldest first.
type Event struct {
	// At is when it happened.
	At time.Time `json:"at"`
	// Event is its name, which is DOCKHOST_EVENT in the journal: "ready", "update-failed".
	Event string `json:"event"`
	// Container is the container that it is about; "" if it is about the host.
	Container string `json:"container,omitempty"`
	// By is what caused it: "user data", "file", "registry", "housekeeping", or
	// "dockhostctl" with the user; "" where nothing did.
	By string `json:"by,omitempty"`
	// From is what was in force before, and To what replaced it, for a change.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Outcome is how a change ended, as in a [HistoryEntry]: "confirmed", "rolled-back",
	// "refused", or "done".
	Outcome string `json:"outcome,omitempty"`
	// Text says more, on one line, maybe with what a container has printed.
	Text string `json:"text,omitempty" access:"changes"`
	// Repeats is how often the same happened since it was recorded last, without a record.
	Repeats int `json:"repeats,omitempty"`
}

// IsChange reports whether the event changed what the host runs, or tried to.
func (e Event) IsChange() bool { return e.Outcome != "" }
