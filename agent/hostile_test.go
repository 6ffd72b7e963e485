package agent

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
)

// The local API says nothing that a terminal obeys, to nobody.
func TestAnswersAreClean(t *testing.T) {
	w := httptest.NewRecorder()
	(&server{log: zap.NewNop()}).send(w, 200, api.Refusal{Problems: problems(errors.New("\x1b[2J\u202egood"))})
	body := w.Body.String()
	if !strings.Contains(body, `" [2J good"`) || !json.Valid([]byte(body)) {
		t.Errorf("answer = %q, want it cleaned", body)
	}
}
