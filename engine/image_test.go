package engine

import "testing"

func TestRepoDigestOfSameRepository(t *testing.T) {
	digests := []string{"mirror.example/nginx@sha256:aa", "nginx@sha256:bb", "localhost:5000/nginx@sha256:cc"}
	tests := []struct{ ref, want string }{
		{"nginx", "sha256:bb"},
		{"docker.io/library/nginx:1.22", "sha256:bb"},
		{"localhost:5000/nginx:1.22", "sha256:cc"},
		{"localhost:5000/other", "sha256:id"},
		{"sha256:id", "sha256:id"},
	}
	for _, test := range tests {
		if got := repoDigest(test.ref, digests, "sha256:id"); got != test.want {
			t.Errorf("repoDigest(%q) = %q, want %q", test.ref, got, test.want)
		}
	}
}
