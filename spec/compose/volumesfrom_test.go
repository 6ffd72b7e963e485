package compose

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

// The volumes of another service's image come with the declared ones, from one service
// to the next.
func TestVolumesFromImages(t *testing.T) {
	assignment, err := parseSources(t, map[string]string{"web.yaml": `services:
  php: {image: "php:8", tmpfs: [/run], volumes: [{type: tmpfs, target: /scratch}]}
  web: {image: "nginx:1", volumes_from: ["php:ro"]}
  backup: {image: "backup:1", volumes_from: [web]}
`})
	if err != nil {
		t.Fatal(err)
	}
	php := spec.VolumesFrom{Container: "php", Image: "php:8", ReadOnly: true, Hidden: []string{"/run", "/scratch"}}
	want := map[string][]spec.VolumesFrom{"php": nil, "web": {php}, "backup": {php, {Container: "web", Image: "nginx:1"}}}
	got := map[string][]spec.VolumesFrom{}
	for _, c := range assignment.Containers {
		got[c.Name] = c.VolumesFrom
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("volumes from others (-want +got):\n%s", diff)
	}
}
