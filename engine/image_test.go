package engine

import (
	"slices"
	"strings"
	"testing"
)

func TestRepoDigestsOfSameRepository(t *testing.T) {
	digests := []string{"mirror.example/nginx@sha256:aa", "nginx@sha256:bb", "localhost:5000/nginx@sha256:cc"}
	newer := "nginx@sha256:" + strings.Repeat("d", 64)
	tests := []struct {
		ref  string
		want []string
	}{
		{"nginx", []string{"sha256:bb", newer[6:]}},
		{"docker.io/library/nginx:1.22", []string{"sha256:bb", newer[6:]}},
		{newer, []string{newer[6:], "sha256:bb"}},
		{"localhost:5000/nginx:1.22", []string{"sha256:cc"}},
		{"localhost:5000/other", nil},
		{"sha256:id", nil},
	}
	for _, test := range tests {
		if got := repoDigests(test.ref, append(digests, newer)); !slices.Equal(got, test.want) {
			t.Errorf("repoDigests(%q) = %q, want %q", test.ref, got, test.want)
		}
	}
}
