package cloudinit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/dockhost/dockhost/internal/jinja"
)

// template reads a part that is a Jinja template of another part.
func (r *reader) template(p *piece) {
	_, body, _ := bytes.Cut(p.text, []byte("\n"))
	if kind := kindOf(body); kind == kindScript || kind == kindBoothook {
		r.note(p, Skipped, "a template of "+whose(kind))
		return
	}
	rendered, ok := r.render(p)
	if !ok {
		return
	}
	switch kind := kindOf(rendered.text); {
	case kind == kindCloudConfig:
		r.cloudConfig(rendered)
	case kind == kindScript, kind == kindBoothook:
		r.note(p, Skipped, "a template of "+whose(kind))
	case len(bytes.TrimSpace(rendered.text)) == 0:
		r.note(p, Skipped, "a template of nothing")
	default:
		r.note(p, Skipped, "a template of what cloud-init does not render: it takes #cloud-config, #! and #cloud-boothook")
		if bytes.Contains(rendered.text, []byte("dockhost:")) {
			r.warn("%s: %s is a template of what is not #cloud-config: it is not read", p.at.File, p.name)
		}
	}
}

// render returns a part with its template rendered. A template that cannot be
// rendered is an error if it mentions dockhost. Otherwise it is passed over with
// a warning: cloud-init may understand it.
func (r *reader) render(p *piece) (rendered *piece, ok bool) {
	first, body, _ := bytes.Cut(p.text, []byte("\n"))
	if !templateLine().Match(first) {
		r.wrong(p, errors.New("the first line of a template is not ## template: jinja, with nothing above it"))
		return nil, false
	}
	out, err := jinja.Render(string(body), jinja.Options{Vars: templateVars(r.metadata), Withheld: r.withheld, MaxSize: r.left})
	if err == nil {
		err = r.spend(len(out.Text))
	}
	var wrong *jinja.Error
	switch {
	case err == nil:
	case errors.As(err, &wrong) && !bytes.Contains(p.text, []byte("dockhost")) && p.kind == kindJinja:
		r.note(p, Skipped, "this template cannot be rendered, and does not mention dockhost")
		r.warn("%s: %s is passed over: it does not mention dockhost, and it cannot be rendered: line %d, column %d: %s",
			p.at.File, p.name, wrong.Line+1, wrong.Column, wrong.Message)
		return nil, false
	case wrong != nil:
		r.note(p, Wrong, wrong.Message)
		r.problemAt(&p.at, wrong.Line+1, wrong.Column, "template: "+wrong.Message)
		return nil, false
	default:
		r.wrong(p, err)
		return nil, false
	}
	copied := *p
	copied.text = []byte(out.Text)
	if bytes.HasSuffix(body, []byte("\n")) {
		copied.text = append(copied.text, '\n')
	}
	copied.at.Lines = make([]int, 0, len(out.Lines))
	for _, line := range out.Lines {
		copied.at.Lines = append(copied.at.Lines, line+1)
	}
	return &copied, true
}

// templateLine is the first line of a template (cloudinit/templater.py).
var templateLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)^##\s*template:\s*jinja\s*$`) })

// operators finds the parts of names that cloud-init replaces with "_", because
// Jinja reads them as operators.
var operators = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`//|\*\*|==|!=|>=|<=|[-+/*%~\[\](){}><=.:|,;]`) })

// templateVars returns the variables of templates: the meta-data, an alias for
// each name with operators in it, and the values of v1 at the top as well
// (cloudinit/handlers/jinja_template.py, convert_jinja_instance_data).
func templateVars(metadata map[string]any) map[string]any {
	vars := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		value := metadata[key]
		if below, ok := value.(map[string]any); ok {
			below = templateVars(below)
			if key == "v1" {
				maps.Copy(vars, below)
			}
			value = below
		} else {
			value = plain(value)
		}
		vars[key] = value
		if alias := operators().ReplaceAllString(key, "_"); alias != key {
			vars[alias] = value
		}
	}
	return vars
}

// plain returns a value of the meta-data in one of the types that templates
// have. Numbers with a fraction become text, as Python writes them.
func plain(value any) any {
	switch v := value.(type) {
	case nil, bool, int64, string:
		return v
	case int:
		return int64(v)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
	case float64:
		if v == math.Trunc(v) {
			return strconv.FormatFloat(v, 'f', 1, 64)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = plain(v[i])
		}
		return items
	case map[string]any:
		values := make(map[string]any, len(v))
		for key := range v {
			values[key] = plain(v[key])
		}
		return values
	}
	return fmt.Sprint(value)
}

// withheld returns an error text for variables that cloud-init has and dockhost
// does not: as undefined variables they would render differently.
func (r *reader) withheld(path string) string {
	const cure = "cloud-init has this value and dockhost does not: use v1.instance_id, v1.local_hostname or ds.meta_data, or write it out"
	top, below, _ := strings.Cut(path, ".")
	switch top {
	case "merged_cfg", "merged_system_cfg", "sys_info", "system_info", "sensitive_keys", "base64_encoded_keys",
		"userdata", "vendordata", "vendordata2", "v1", "ds", "combined_cloud_config":
	default:
		below = top
	}
	switch top {
	case "v1":
		if _, ok := r.metadata["v1"]; ok && !standardKey(below) {
			return ""
		}
	case "ds":
		if _, ok := r.metadata["ds"]; ok && strings.Contains(below, ".") {
			return ""
		}
	default:
		if below == top && !standardKey(below) {
			return ""
		}
	}
	return cure
}

// standardKey reports whether cloud-init has a value by this name on every
// instance (cloudinit/sources/__init__.py, _get_standardized_metadata).
func standardKey(name string) bool {
	switch strings.ReplaceAll(name, "-", "_") {
	case "availability_zone", "cloud_id", "cloud_name", "distro", "distro_release", "distro_version", "instance_id",
		"kernel_release", "local_hostname", "machine", "platform", "public_ssh_keys", "python_version", "region",
		"subplatform", "system_platform", "variant":
		return true
	}
	return false
}
