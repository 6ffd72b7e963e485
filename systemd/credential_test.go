package systemd

import (
	"slices"
	"testing"
)

func TestGivenCredentials(t *testing.T) {
	got := givenCredentials(map[string]any{
		"SetCredential":           [][]any{{"set", []byte("x")}},
		"LoadCredential":          [][]any{{"searched", "searched"}, {"path", "/etc/key"}},
		"LoadCredentialEncrypted": [][]any{{"sealed", "/etc/sealed"}},
		"SetCredentialEncrypted":  "not a list",
	})
	if want := []string{"set", "path", "sealed"}; !slices.Equal(got, want) {
		t.Errorf("givenCredentials() = %q, want %q", got, want)
	}
}
