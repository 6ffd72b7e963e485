// Package policy says what user data may ask of a host. Whoever owns the host
// writes it; what root declares on the host itself is not bound by it. The
// package judges, and changes nothing.
package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// Path is where the policy of a host is.
const Path = "/etc/dockhost/policy.yaml"

// maxSize bounds the file.
const maxSize = 1 << 20

// Policy is what is allowed. A nil Policy allows everything.
type Policy struct {
	// file is what it was read from.
	file  string
	rules map[string]rule
	// deny says that what no rule names is not allowed.
	deny bool
	// resolve returns where a path of the host leads, symbolic links followed;
	// nil takes paths as they are.
	resolve func(path string) string
}

// rule is what the policy says about one thing that can be asked for.
type rule struct {
	// all says that anything is allowed, entries what is, otherwise.
	all     bool
	entries []string
}

// Refusals is everything that a policy does not allow, one sentence for each.
type Refusals []string

// Error returns one line for each refusal.
func (r Refusals) Error() string { return strings.Join(r, "\n") }

// Load reads the policy of the host below root. It is nil where there is none,
// which allows everything; one that cannot be read, or is wrong anywhere, is an
// error, and nothing new may be accepted then.
func Load(root string) (*Policy, error) {
	file, err := os.Open(filepath.Join(root, Path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no policy is a fact, and allows everything
	}
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the policy %s: %w", Path, err)
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("read the policy %s: larger than %d KiB", Path, maxSize>>10)
	}
	p, err := Parse(Path, text)
	if err != nil {
		return nil, err
	}
	p.resolve = func(path string) string { return resolve(root, path) }
	return p, nil
}

// Parse reads a policy. The error is a *document.Problem or [document.Problems].
func Parse(file string, text []byte) (*Policy, error) {
	top, err := document.Parse(file, text)
	if err != nil {
		return nil, err
	}
	p := &Policy{file: file, rules: map[string]rule{}}
	if top == nil || document.IsNull(top) {
		// More likely an accident than a policy.
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
	var made []string
	for _, item := range at.Items() {
		text := item.Text()
		_, malformed := filepath.Match(text, "")
		plain, _ := strings.CutSuffix(text, readOnlySuffix)
		switch {
		case !item.IsScalar() || item.Node.Kind != yaml.ScalarNode || text == "":
			r.Errorf(item, "not a string: put it in quotes")
		case kind == paths && (!filepath.IsAbs(plain) || filepath.Clean(plain) != plain):
			r.Errorf(item, "not a path: write an absolute one, without . and .. in it")
		case malformed != nil:
			r.Errorf(item, "a [ without its ]: write \\[ for the character itself")
		default:
			made = append(made, text)
		}
	}
	return made
}

// kind is what a rule's list is made of.
type kind int

const (
	// flag has no list.
	flag kind = iota
	// words are patterns, in which * stands for any characters but /.
	words
	// paths are directories of the host, with what is below them.
	paths
)

// kinds are the rules that there are.
func kinds() map[string]kind {
	return map[string]kind{
		"annotations": words, "capabilities": words, "credential_helper_environment": words, "credential_helpers": words,
		"credentials": words, "devices": words, "disks": words, "env_files": paths, "gpus": flag, "host_cgroup": flag, "host_ipc": flag,
		"host_mounts": paths, "host_network": flag, "host_pid": flag, "host_userns": flag, "host_uts": flag, "housekeeping": flag, "images_without_digest": flag, "log_drivers": words,
		"networks": words, "other_containers": flag, "password_files": paths, "privileged": flag, "privileged_ports": flag,
		"registries": words, "runtimes": words, "security_options": words, "unit_settings": words,
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

// Check returns what of an assignment is not allowed as Refusals, or nil.
func (p *Policy) Check(a *spec.Assignment) error {
	if p == nil {
		return nil
	}
	c := &check{Policy: p, assigned: map[string]bool{}}
	for i := range a.Containers {
		c.assigned[a.Containers[i].Name] = true
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

// judge reports whether a rule allows a thing that match finds among its entries.
func (p *Policy) judge(name string, match func(entry string) bool) bool {
	r, set := p.rules[name]
	if !set {
		return !p.deny
	}
	return r.all || slices.ContainsFunc(r.entries, match)
}

// why names the rule that refuses.
func (p *Policy) why(name string) string {
	r, set := p.rules[name]
	switch {
	case !set:
		return fmt.Sprintf("default: deny, and no rule %s, in %s", name, p.file)
	case len(r.entries) == 0:
		return fmt.Sprintf("rule %s: false in %s", name, p.file)
	default:
		return fmt.Sprintf("rule %s: [%s] in %s", name, document.Shorten(strings.Join(r.entries, ", ")), p.file)
	}
}
