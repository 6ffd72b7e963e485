package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/oneline"
)

// Event is the body of a request. It has no output of the container, which may contain
// secrets.
type Event struct {
	// ID identifies the outcome. It stays the same when the request is repeated.
	ID string `json:"id"`
	// Timestamp is when this request was made.
	Timestamp time.Time `json:"timestamp"`
	Host
	api.HistoryEntry
}

// Host identifies the host to the receiver.
type Host struct {
	// InstanceID is the instance-id of the user data, "" without any.
	InstanceID string `json:"instance_id,omitempty"`
	Hostname   string `json:"hostname"`
}

// newEvent returns the event for an outcome on a host. The same outcome always has the
// same ID.
func newEvent(host Host, entry api.HistoryEntry) Event {
	entry.Output = nil
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %q", host.InstanceID, host.Hostname, entry.Name, entry.Began.UnixNano(), entry.Outcome))
	return Event{ID: hex.EncodeToString(sum[:16]), Host: host, HistoryEntry: entry}
}

// body returns the body of a request that is made now.
func (e Event) body(now time.Time) ([]byte, error) {
	e.Timestamp = now.UTC()
	return json.Marshal(oneline.JSON{Value: e})
}

// Sign returns the value of the header Dockhost-Signature for a body.
func Sign(secret, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
