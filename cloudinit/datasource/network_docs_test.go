package datasource

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The manual has each platform, and where its user data is.
func TestNetworkInManual(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	var manual strings.Builder
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		manual.Write(text)
	}
	for _, p := range platforms() {
		where := p.userData.path
		if len(p.addresses) > 0 {
			where = p.addresses[0] + where
		}
		for _, want := range []string{"| " + p.name + " |", "`" + where + "`"} {
			if !strings.Contains(manual.String(), want) {
				t.Errorf("docs have no %s for %s", want, p.name)
			}
		}
	}
}
