package policy

import (
	"testing"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec/compose"
)

// A policy of any text is refused, or judges, and judges the same twice.
func FuzzPolicy(f *testing.F) {
	for _, text := range []string{
		"default: deny\nimages: ['docker.io/library/*']\nbinds: [/srv]\n", "privileged: false\ndevices: [/dev/kvm]\n",
		"password_files: [/etc/dockhost]\ncredential_helper_environment: [AWS_*]\n", "capabilities: [NET_ADMIN]\n", "default: allow\n", "a: &a [*a]\n",
	} {
		f.Add([]byte(text))
	}
	top, err := document.Parse("user-data", []byte("containers:\n  web: {image: nginx, privileged: true, volumes: ['/srv/a:/b', '/:/c'], devices: [/dev/sda]}\n"))
	if err != nil {
		f.Fatal(err)
	}
	assignment, err := compose.Parse(document.File("user-data"), top)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(Path, text)
		if (p == nil) == (err == nil) {
			t.Fatalf("Parse() = %v, %v, want one of them", p, err)
		}
		if p != nil {
			first, second := p.Check(assignment), p.Check(assignment)
			if (first == nil) != (second == nil) {
				t.Errorf("Check() = %v, and then %v", first, second)
			}
		}
	})
}
