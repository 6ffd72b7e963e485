//go:build e2e

package e2e

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	until = flag.Int64("until", math.MaxInt64, "begin no test that has passed on another host (-logs) after this `time`, in seconds since 1970")
	logs  = flag.String("logs", "", "the output of the tests on other hosts, in `files` that a colon separates")
)

// skipWithoutTime skips a test that has passed on another host when no time is left.
func skipWithoutTime(t *testing.T) {
	t.Helper()
	if time.Now().Unix() > *until && passedElsewhere(t.Name()) {
		t.Skip("no time is left for it here: it has passed on another host")
	}
}

// passedElsewhere says whether a test has passed on another host, with all its subtests.
func passedElsewhere(name string) bool {
	name, _, _ = strings.Cut(name, "/")
	for log := range strings.SplitSeq(*logs, ":") {
		text, err := os.ReadFile(log)
		if err == nil && strings.Contains(string(text), "\n--- PASS: "+name+" (") && !strings.Contains(string(text), " --- SKIP: "+name+"/") {
			return true
		}
	}
	return false
}
