package spec

import (
	"strings"
	"testing"
)

func TestCheckNameFitsDockerAndSystemd(t *testing.T) {
	for _, name := range []string{"web", "w1", "0a", "a.b_c-d", "a-", strings.Repeat("a", 200)} {
		if err := CheckName(name); err != nil {
			t.Errorf("CheckName(%q) = %v, want nil", name, err)
		}
	}
	for _, name := range []string{"", "a", ".a", "-a", "_a", "a b", "a/b", "a@b", "a\n", "ä1", strings.Repeat("a", 201)} {
		if err := CheckName(name); err == nil {
			t.Errorf("CheckName(%q) = nil, want an error", name)
		}
	}
}
