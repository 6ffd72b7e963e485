// Package policy limits what user data may ask of a host. The owner of the host
// writes the policy; it does not apply to what root declares on the host itself.
// The package reads no files: its caller loads the policy, and follows symbolic
// links.
package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// Path is the policy file of a host.
const Path = "/etc/dockhost/policy.yaml"

// Policy is a set of rules. A nil Policy allows everything.
type Policy struct {
	// file is the name of the file in messages.
	file  string
	rules map[string]rule
	// deny is true when what no rule names is forbidden.
	deny bool
	// resolve follows the symbolic links of a path of the host. With nil, paths
	// are taken as they are written.
	resolve func(path string) string
}

// rule allows everything of its kind, or what its entries match.
type rule struct {
	all     bool
	entries []string
}

// Refusals are the things that a policy forbids, one sentence each.
type Refusals []string

// Error returns one line for each refusal.
func (r Refusals) Error() string { return strings.Join(r, "\n") }

// Parse reads a policy. The error is a *document.Problem or [document.Problems].
func Parse(file string, text []byte) (*Policy, error) {
	top, err := document.Parse(file, text)
	if err != nil {
		return nil, err
	}
	p := &Policy{file: file, rules: map[string]rule{}}
	if top == nil || document.IsNull(top) {
		// This is more likely an accident than a policy.
		return nil, &document.Problem{File: file, Line: 1, Column: 1, Message: "empty: write default: allow, or remove the file"}
	}
	r := document.NewReport(document.File(file), nil)
	at := document.Spot{Node: top}
	if at.Node = r.Resolve(at); at.Node == nil {
		return nil, r.Err()
	}
	if !at.IsMapping() {
		r.Errorf(at, "not a mapping: write RULE: true, RULE: false or RULE: [...], one below the other")
	}
	for name, value := range at.Fields() {
		p.read(r, name, value)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Resolving returns the policy with a function that follows the symbolic links of
// paths on the host: a mount of a link is judged as a mount of its target.
func (p *Policy) Resolving(resolve func(path string) string) *Policy {
	resolving := *p
	resolving.resolve = resolve
	return &resolving
}

// read reads one rule.
func (p *Policy) read(r *document.Report, name string, at document.Spot) {
	kind, known := kinds()[name]
	switch {
	case name == "default":
		if text := at.Text(); text != "allow" && text != "deny" {
			r.Errorf(at, "unknown default: write allow or deny, for what no other rule names")
		}
		p.deny = at.Text() == "deny"
	case !known:
		r.UnknownKey(at, name, append(names(), "default"), "")
	case at.IsScalar() && at.Node.Tag == "!!bool":
		var all bool
		_ = at.Node.Decode(&all)
		p.rules[name] = rule{all: all}
	case at.IsList() && kind != flag:
		p.rules[name] = rule{entries: entries(r, kind, at)}
	case kind == flag:
		r.Errorf(at, "neither true nor false")
	default:
		r.Errorf(at, "not a rule: write true for everything, false for nothing, or a list of what is allowed")
	}
}

func entries(r *document.Report, kind kind, at document.Spot) []string {
	var patterns []string
	for _, item := range at.Items() {
		text := item.Text()
		_, malformed := path.Match(text, "")
		plain, _ := strings.CutSuffix(text, readOnlySuffix)
		switch {
		case !item.IsScalar() || item.Node.Kind != yaml.ScalarNode || text == "":
			r.Errorf(item, "not a string: put it in quotes")
		case kind == paths && (!path.IsAbs(plain) || path.Clean(plain) != plain):
			r.Errorf(item, "not a path: write an absolute one, without . and .. in it")
		case malformed != nil:
			r.Errorf(item, "a [ without its ]: write \\[ for the character itself")
		default:
			patterns = append(patterns, text)
		}
	}
	return patterns
}

// kind is the kind of values in a rule's list.
type kind int

const (
	// flag has no list.
	flag kind = iota
	// words are patterns, in which * matches any characters except /.
	words
	// paths are directories of the host, with everything below them.
	paths
)

// kinds returns the kind of each rule, by its name.
func kinds() map[string]kind {
	return map[string]kind{
		"annotations": words, "capabilities": words, "credential_helper_environment": words, "credential_helpers": words,
		"credentials": words, "devices": words, "disks": words, "env_files": paths, "filesystems": words, "fleet_locks": words, "gpus": flag, "host_cgroup": flag, "host_ipc": flag,
		"host_mounts": paths, "host_network": flag, "host_pid": flag, "host_userns": flag, "host_uts": flag, "housekeeping": flag, "images_without_digest": flag, "lock_files": paths, "log_drivers": words, "mount_options": words,
		"networks": words, "other_containers": flag, "password_files": paths, "privileged": flag, "privileged_ports": flag,
		"registries": words, "runtimes": words, "secret_files": paths, "security_options": words, "unit_settings": words,
		"volumes": words,
	}
}

func names() []string {
	var all []string
	for name := range kinds() {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// Check returns [Refusals] for everything in the assignment that is not allowed,
// or nil.
func (p *Policy) Check(a *spec.Assignment) error {
	if p == nil {
		return nil
	}
	c := &check{Policy: p, assigned: map[string]bool{}}
	for i := range a.Containers {
		c.assigned[a.Containers[i].DockerName()] = true
	}
	for i := range a.Containers {
		c.where = "containers." + a.Containers[i].Name
		c.container(&a.Containers[i])
	}
	c.registries(a.Registries)
	c.where = "housekeeping"
	c.flag("housekeeping", a.Housekeeping != nil, "to change what the host removes")
	if len(c.refusals) == 0 {
		return nil
	}
	return c.refusals
}

// allows reports whether a rule allows everything, or has an entry that matches.
// Without the rule the default decides.
func (p *Policy) allows(name string, match func(entry string) bool) bool {
	r, set := p.rules[name]
	if !set {
		return !p.deny
	}
	return r.all || slices.ContainsFunc(r.entries, match)
}

// names reports whether a rule allows everything, or has an entry that matches. Without
// the rule it does not, whatever the default.
func (p *Policy) names(name string, match func(entry string) bool) bool {
	r := p.rules[name]
	return r.all || slices.ContainsFunc(r.entries, match)
}

// why names the rule that forbids something.
func (p *Policy) why(name string) string {
	r, set := p.rules[name]
	switch {
	case !set && p.deny:
		return fmt.Sprintf("default: deny, and no rule %s, in %s", name, p.file)
	case !set:
		return fmt.Sprintf("no rule %s names it in %s", name, p.file)
	case len(r.entries) == 0:
		return fmt.Sprintf("rule %s: false in %s", name, p.file)
	default:
		return fmt.Sprintf("rule %s: [%s] in %s", name, document.Shorten(strings.Join(r.entries, ", ")), p.file)
	}
}
