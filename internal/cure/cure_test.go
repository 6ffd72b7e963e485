package cure

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOf(t *testing.T) {
	missing := ByFile(fmt.Errorf("read env_file: %w", fs.ErrNotExist), "/etc/app.env")
	busy := By(errors.New("port 80 is in use"), Cure{Port, "80/tcp"})
	tests := []struct {
		name string
		err  error
		want []Cure
	}{
		{"nothing", nil, nil},
		{"an exit", errors.New("exited with status 1"), nil},
		{"wrapped", fmt.Errorf("start: %w", missing), []Cure{{File, "/etc/app.env"}}},
		{"joined, and twice", errors.Join(busy, fmt.Errorf("again: %w: %w", busy, missing)), []Cure{{File, "/etc/app.env"}, {Port, "80/tcp"}}},
		{"marked twice", By(missing, Cure{Kind: Network}), []Cure{{File, "/etc/app.env"}, {Kind: Network}}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, Of(test.err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if !errors.Is(missing, fs.ErrNotExist) || missing.Error() != "read env_file: file does not exist" {
		t.Errorf("a marked error = %q, want the same text and kind", missing)
	}
	if err := By(nil, Cure{Kind: Disk}); err != nil {
		t.Errorf("By(nil) = %v", err)
	}
}
