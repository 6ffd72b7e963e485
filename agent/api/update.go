package api

import "time"

// Update is what the agent does about changes of a container.
type Update struct {
	// State is the phase of the update that is being made (checking, found, verifying,
	// pulling, waiting, replacing, soaking, rolling-back), or how the last one ended
	// (confirmed, rolled-back, refused, failed); "" before the first.
	State string `json:"state,omitempty"`
	// Why says what a waiting update waits for, or why the last one ended so.
	Why string `json:"why,omitempty"`
	// Since is when the state began.
	Since *time.Time `json:"since,omitempty"`
	// Cause is what asked for the update.
	Cause UpdateCause `json:"cause,omitempty"`
	// From is what ran before, To what replaces it.
	From *Revision `json:"from,omitempty"`
	To   *Revision `json:"to,omitempty"`
	// Hold is set while a person holds the container as it is.
	Hold *Hold `json:"hold,omitempty"`
	// Paused says why no newer image is tried until a person allows it; "" otherwise.
	Paused string `json:"paused,omitempty"`
	// Quarantined are the revisions that failed, and are not tried again by themselves.
	Quarantined []Revision `json:"quarantined,omitempty"`
	// NextCheck is when the registry is asked next; absent if it is not.
	NextCheck *time.Time `json:"next_check,omitempty"`
	// CheckError is why the registry did not answer the last time.
	CheckError string `json:"check_error,omitempty"`
}

// States of an update that programs tell apart, and outcomes.
const (
	// StateWaiting is an update that waits for a window, the end of a hold, the
	// application or the fleet.
	StateWaiting = "waiting"
	// StatePulling is an update whose image is being pulled.
	StatePulling = "pulling"
	// StateSoaking is an update that runs, and is watched.
	StateSoaking = "soaking"
	// OutcomeConfirmed is an update that stayed well.
	OutcomeConfirmed = "confirmed"
	// OutcomeRolledBack is an update that was not well: what ran before it runs again.
	OutcomeRolledBack = "rolled-back"
	// OutcomeRefused is an update that was not tried: it cannot run on this host, or is
	// quarantined. What ran before it still runs.
	OutcomeRefused = "refused"
	// OutcomeFailed is an update that failed and was not rolled back, or a registry that
	// did not answer.
	OutcomeFailed = "failed"
	// OutcomeSuperseded is an update that another one replaced before its own outcome
	// was known.
	OutcomeSuperseded = "superseded"
	// OutcomeUnchanged says that nothing is newer than what runs.
	OutcomeUnchanged = "unchanged"
	// OutcomeFound says that something newer was found by a check.
	OutcomeFound = "found"
)

// needsPerson reports whether the last update ended without success, or updates are
// paused, so that a person must act: change the assignment, push another image, or
// accept what runs by a hold.
func (u *Update) needsPerson() bool {
	if u == nil || u.accepted() {
		return false
	}
	return u.Paused != "" || u.State == OutcomeRolledBack || u.State == OutcomeRefused || u.State == OutcomeFailed
}

// accepted reports whether a person has held the container since the state began.
func (u *Update) accepted() bool {
	return u.Hold != nil && u.Since != nil && u.Hold.At.After(*u.Since)
}

// UpdateCause is what asked for an update.
type UpdateCause string

// The causes.
const (
	// CauseStart is the first start of a container.
	CauseStart UpdateCause = "start"
	// CauseAssignment is a changed assignment: user data, a file, or dockhostctl run.
	CauseAssignment UpdateCause = "assignment"
	// CauseRegistry is a tag that names another image.
	CauseRegistry UpdateCause = "registry"
	// CauseUpdate is dockhostctl update.
	CauseUpdate UpdateCause = "update"
	// CauseRollback is dockhostctl rollback.
	CauseRollback UpdateCause = "rollback"
)

// Revision is an image with a configuration.
type Revision struct {
	// Image is the reference, Digest the registry's digest, or the ID of an image that
	// is not from a registry.
	Image  string `json:"image"`
	Digest string `json:"digest,omitempty"`
	// ConfigHash identifies the configuration.
	ConfigHash string `json:"config_hash,omitempty"`
	// Why and At say why and when a revision was quarantined.
	Why string     `json:"why,omitempty"`
	At  *time.Time `json:"at,omitempty"`
}

// Hold is a person's request to leave a container as it is.
type Hold struct {
	// By is the name or the uid of the user, At is when.
	By string    `json:"by"`
	At time.Time `json:"at"`
	// Until is when it ends by itself; absent if it does not.
	Until *time.Time `json:"until,omitempty"`
}

// HistoryEntry is one update that has ended. GET /v1/history[?name=NAME] answers with
// a list of them, the newest first.
type HistoryEntry struct {
	Name string `json:"name"`
	// Began and Ended are when it was found, and when its outcome was known.
	Began time.Time   `json:"began"`
	Ended time.Time   `json:"ended"`
	Cause UpdateCause `json:"cause"`
	// By is the user who asked for it, "" if no person did.
	By   string    `json:"by,omitempty"`
	From *Revision `json:"from,omitempty"`
	To   Revision  `json:"to"`
	// Phases says how long each phase took, in the order in which they began.
	Phases []PhaseTime `json:"phases,omitempty"`
	// Outcome is confirmed, rolled-back, refused, failed or superseded; Why says why, ""
	// when it was confirmed.
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"`
	// Output are the last lines of the container that failed.
	Output []string `json:"output,omitempty" access:"changes"`
}

// PhaseTime is how long one phase of an update took.
type PhaseTime struct {
	Phase   string  `json:"phase"`
	Seconds float64 `json:"seconds"`
}

// UpdateRequest is the body of POST /v1/containers/NAME/update, and, with To, of POST
// /v1/containers/NAME/rollback. The answer is [UpdateStarted]. A client whose agent was
// killed repeats its request: one that asks for the update that is being made joins it.
type UpdateRequest struct {
	// Check only asks the registry.
	Check bool `json:"check,omitempty"`
	// Force also tries a revision that is quarantined, and does not wait for a
	// window, a hold or a pause. It waits for the application and the fleet.
	Force bool `json:"force,omitempty"`
	// To is the digest to go back to; "" is the revision before.
	To string `json:"to,omitempty"`
}

// UpdateStarted is the answer to a request for an update or a rollback.
type UpdateStarted struct {
	// At is when it was accepted, by the agent's clock.
	At time.Time `json:"at"`
}

// UpdateProgress is a line of the answer to GET
// /v1/containers/NAME/update?since=AT. The answer has a line for each change, and
// ends with one that has an outcome.
type UpdateProgress struct {
	// Phase is the phase, Doing the same in a sentence.
	Phase string `json:"phase,omitempty"`
	Doing string `json:"doing,omitempty"`
	// Done and Total are the bytes of a pull, 0 outside of one.
	Done  int64 `json:"done,omitempty"`
	Total int64 `json:"total,omitempty"`
	// Outcome is confirmed, rolled-back, refused, failed, superseded, unchanged, or,
	// after a check alone, found; "" until it is known.
	Outcome string `json:"outcome,omitempty"`
	// Why says why.
	Why string `json:"why,omitempty"`
	// To is what was found.
	To *Revision `json:"to,omitempty"`
}

// Last reports whether this is the last line.
func (p UpdateProgress) Last() bool { return p.Outcome != "" }

// HoldRequest is the body of PUT /v1/containers/NAME/hold; DELETE ends the hold.
type HoldRequest struct {
	// Until is when the hold ends by itself; absent if it does not.
	Until *time.Time `json:"until,omitempty"`
}
