package cloudinit

import (
	"strings"
	"testing"
)

// The work for user data grows with its length alone: longer fields are cut, and a patch
// that does much for its length is refused.
func TestWorkIsBounded(t *testing.T) {
	field := "X-Long: x" + strings.Repeat("\n  x", maxField)
	message, ok := parseMessage([]byte("MIME-Version: 1.0\n" + field + "\nX-Next: y\n\nbody"))
	if long := message.header.get("X-Long"); !ok || len(long) < maxField || len(long) > maxField+2 || message.header.get("X-Next") != "y" {
		t.Errorf("a field of %d bytes keeps %d, and the next is %q", len(field), len(long), message.header.get("X-Next"))
	}
	list := strings.Repeat("1,", 4000) + "1"
	operations := map[string]string{
		"add":  `{"op": "add", "path": "/a/0", "value": 1}`,
		"copy": `{"op": "copy", "from": "/a", "path": "/a/0"}`,
	}
	for name, operation := range operations {
		text := `#cloud-config-jsonp` + "\n" + `[{"op": "add", "path": "/a", "value": [` + list + `]}` + strings.Repeat(","+operation, 1000) + "]"
		if _, err := (&UserData{Path: "user-data", Raw: []byte(text)}).Section(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), errPatchWork.Error()) {
			t.Errorf("a patch with a thousand times %s: %v, want it refused", name, err)
		}
	}
}
