package resume

import (
	"fmt"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	var whole strings.Builder
	var kept tail
	for n := range 10_000 {
		piece := strings.Repeat(fmt.Sprintf("%d\n", n), n%700)
		whole.WriteString(piece)
		kept.add([]byte(piece), noon)
		if got := string(kept.last); !strings.HasSuffix(whole.String(), got) || len(got) < min(whole.Len(), tailSize) || cap(kept.last) > 2*tailSize {
			t.Fatalf("after %d bytes the tail has %d of %d", whole.Len(), len(got), cap(kept.last))
		}
		if kept.cut != (len(kept.last) < whole.Len()) {
			t.Fatalf("cut = %t of %d of %d bytes", kept.cut, len(kept.last), whole.Len())
		}
	}
}
