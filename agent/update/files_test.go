package update_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/update"
)

// Records of containers that are not assigned stay for a while, the newest ones only.
func TestExpire(t *testing.T) {
	now := time.Now()
	const day = 24 * time.Hour
	tests := []struct {
		name string
		// ages are how long ago each record changed, by its name.
		ages     map[string]time.Duration
		assigned []string
		want     []string
	}{
		{"no records", nil, nil, nil},
		{"young", map[string]time.Duration{"a": 29 * day, "b": 0}, nil, nil},
		{"old", map[string]time.Duration{"a": 31 * day, "b": 29 * day, "c": 300 * day}, nil, []string{"a", "c"}},
		{"old, but assigned", map[string]time.Duration{"a": 31 * day, "b": 300 * day}, []string{"a"}, []string{"b"}},
		{"many", many(105), nil, []string{"n100", "n101", "n102", "n103", "n104"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := update.Files{Root: t.TempDir()}
			for name, age := range test.ages {
				if err := files.Save(name, update.Record{}); err != nil {
					t.Fatal(err)
				}
				at := now.Add(-age)
				if err := os.Chtimes(filepath.Join(files.Root, update.Dir, name+".json"), at, at); err != nil {
					t.Fatal(err)
				}
			}
			assigned := map[string]bool{}
			for _, name := range test.assigned {
				assigned[name] = true
			}
			expired, err := files.Expire(assigned, now)
			slices.Sort(expired)
			if err != nil || !slices.Equal(expired, test.want) {
				t.Errorf("Expire() = %v, %v, want %v", expired, err, test.want)
			}
			if left, err := files.Names(); err != nil || len(left) != len(test.ages)-len(test.want) {
				t.Errorf("Names() = %v, %v, want all but %v", left, err, test.want)
			}
		})
	}
}

// many returns that many records, each a minute older than the one before.
func many(n int) map[string]time.Duration {
	ages := map[string]time.Duration{}
	for i := range n {
		ages[fmt.Sprintf("n%03d", i)] = time.Duration(i) * time.Minute
	}
	return ages
}
