package datasource

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// devLXD is a stateful fake of LXD's socket: it knows what it is told.
func devLXD(t *testing.T, root string, answers map[string]string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, "/dev/lxd"), 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(root, lxdSocket))
	if err != nil {
		t.Fatal(err)
	}
	busy := 2
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if busy > 0 {
			busy--
			http.Error(w, "busy", http.StatusInternalServerError)
			return
		}
		text, ok := answers[r.URL.Path]
		if !ok || r.Host != "lxd" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, text)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

func TestLXD(t *testing.T) {
	const meta = "#cloud-config\ninstance-id: 8c5e\nlocal-hostname: c1\n"
	tests := []struct {
		name    string
		answers map[string]string
		id, raw string
	}{
		{"cloud-init's key first", map[string]string{"/1.0/meta-data": meta, "/1.0/config/cloud-init.user-data": "new", "/1.0/config/user.user-data": "old"}, "8c5e", "new"},
		{"the old key", map[string]string{"/1.0/meta-data": meta, "/1.0/config/user.user-data": "old"}, "8c5e", "old"},
		{"none", map[string]string{"/1.0/meta-data": meta}, "8c5e", ""},
		{"its own meta-data", map[string]string{"/1.0/meta-data": meta, "/1.0/config/user.meta-data": "instance-id: own"}, "own", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			devLXD(t, root, tt.answers)
			_, data, err := Find(t.Context(), Options{Root: root})
			if err != nil {
				t.Fatal(err)
			}
			if data.Datasource != "LXD" || data.InstanceID != tt.id || string(data.Raw) != tt.raw {
				t.Errorf("Find() = %+v, want %q with %q", data, tt.id, tt.raw)
			}
		})
	}
}
