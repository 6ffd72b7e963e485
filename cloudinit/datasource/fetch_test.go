package datasource

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/cloudinit"
)

func TestSeedFromURL(t *testing.T) {
	var asked []string
	busy := true
	mux := http.NewServeMux()
	mux.HandleFunc("/seed/", func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		switch {
		case busy:
			busy = false
			http.Error(w, "later", http.StatusServiceUnavailable)
		case r.URL.Path == "/seed/meta-data":
			_, _ = io.WriteString(w, "instance-id: i-net")
		case r.URL.Path == "/seed/user-data":
			_, _ = io.WriteString(w, "u")
		}
	})
	mux.Handle("/moved/", http.RedirectHandler("/seed/", http.StatusFound))
	mux.HandleFunc("/huge/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.CopyN(w, zeros{}, cloudinit.MaxSize+1)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // not used

	find := func(path string) (*cloudinit.UserData, []string, error) {
		var waited []string
		login := strings.Replace(server.URL, "http://", "http://me:"+canary+"@", 1)
		root := tree(t, map[string]string{"/proc/cmdline": "ds=nocloud;s=" + login + path})
		_, data, err := Find(t.Context(), Options{Root: root, Waiting: func(what string) { waited = append(waited, what) }})
		return data, waited, err
	}
	data, waited, err := find("/seed")
	if err != nil {
		t.Fatal(err)
	}
	if data.InstanceID != "i-net" || string(data.Raw) != "u" || data.Path != server.URL+"/seed/user-data" {
		t.Errorf("Find() = %+v, want what is at %s/seed", data, server.URL)
	}
	if len(waited) < 2 || !strings.Contains(waited[0], "503") || waited[len(waited)-1] != "" || strings.Contains(waited[0], canary) {
		t.Errorf("waited for %q, want the answer 503 and then nothing", waited)
	}
	if len(asked) != 3 {
		t.Errorf("asked for %q, want three requests", asked)
	}
	for path, want := range map[string]string{"/moved/": "redirects are not followed", "/none/": "404 Not Found", "/huge/": "larger than 16 MiB"} {
		if _, _, err := find(path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("seed from %s: %v, want %q", path, err, want)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestCmdlineURL(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "u") }))
	defer server.Close()
	root := tree(t, map[string]string{"/proc/cmdline": "quiet cloud-config-url=" + server.URL + "/x?token=" + canary, "dmi:product_uuid": uuid})
	_, data, err := Find(t.Context(), Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if data.Datasource != "Cmdline" || string(data.Raw) != "u" || data.Path != server.URL+"/x" || data.InstanceID != strings.ToLower(uuid) {
		t.Errorf("Find() = %+v, want the document at %s", data, server.URL)
	}
}
