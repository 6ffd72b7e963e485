package fleetlock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/dockhost/dockhost/internal/oneline"
)

// ErrBusy says that the lock manager gives this host no slot now.
var ErrBusy = errors.New("no free slot")

// Error is an answer of the lock manager that is not a yes.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Kind is the machine-readable reason, "" if the answer is not that of a lock
	// manager. Value is the reason in words.
	Kind, Value string
	// Cure says what a person should change, "" if waiting may help.
	Cure string
}

// maxText is the longest kind or value that is kept, in characters.
const maxText = 200

// busy reports whether the answer to pre-reboot gives no slot. The protocol names the
// first kind, airlock answers with the second (also if it lost a race), and
// poseidon/fleetlock with the third.
func (e *Error) busy() bool {
	switch e.Kind {
	case "failed_lock_semaphore_full", "failed_lock", "locked":
		return true
	}
	return e.Status == http.StatusLocked
}

func (e *Error) Error() string {
	text := e.Kind
	if text == "" {
		text = strings.TrimSpace(fmt.Sprintf("it answers %d %s", e.Status, http.StatusText(e.Status)))
	}
	if e.Value != "" {
		text += ": " + e.Value
	}
	if e.Cure != "" {
		text += " (" + e.Cure + ")"
	}
	return text
}

// judge returns nil for a yes.
func judge(response *http.Response) error {
	if response.StatusCode/100 == 2 {
		return nil
	}
	e := &Error{Status: response.StatusCode}
	if response.StatusCode/100 == 3 {
		to := "another address"
		if location, err := response.Location(); err == nil {
			to = location.Scheme + "://" + clean(location.Host)
		}
		e.Cure = "correct fleet_lock.base_url: it redirects to " + to + ", and redirects are not followed"
		return e
	}
	raw, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	var answer struct{ Kind, Value string }
	if json.Unmarshal(raw, &answer) == nil {
		e.Kind, e.Value = clean(answer.Kind), clean(answer.Value)
	}
	e.Cure = cureOf(e)
	return e
}

// cureOf returns what a person should change after an answer.
func cureOf(e *Error) string {
	switch e.Kind {
	case "unknown_group":
		return "correct fleet_lock.group, or add the group to the lock manager"
	case "invalid_client_identity":
		return "correct fleet_lock.group: the lock manager accepts neither this host's id nor the group"
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return "let this host use the lock manager: a proxy or the lock manager refuses it"
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusLocked:
		return ""
	}
	if e.Status/100 == 5 {
		return ""
	}
	return "correct fleet_lock.base_url: no lock manager that speaks FleetLock answers there"
}

// clean makes one short line of a text.
func clean(text string) string { return oneline.Of(text, maxText) }
