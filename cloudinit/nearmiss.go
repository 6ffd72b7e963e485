package cloudinit

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// nearMiss reports a misspelling of "dockhost" at the top of cloud-config without
// that key. Otherwise a typo would end every container of the host.
func (r *reader) nearMiss() {
	if r.merged == nil || r.merged.Kind != yaml.MappingNode || r.hasKey("dockhost") {
		return
	}
	for i := 0; i+1 < len(r.merged.Content); i += 2 {
		if key := r.merged.Content[i]; isNearMiss(key.Value) {
			r.wrongNode(key, fmt.Sprintf("unknown key %q (did you mean \"dockhost\"?)", document.Shorten(key.Value)))
		}
	}
}

// isNearMiss reports whether a key looks like "dockhost", whatever its case and
// with or without separators.
func isNearMiss(key string) bool {
	bare := strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(strings.ToLower(key))
	return document.Nearest(bare, []string{"dockhost", "dockhosts", "dockerhosts"}) != ""
}
