package cloudinit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// maxPatchSteps bounds the work of a patch, in nodes that its operations copy and compare.
const maxPatchSteps = 1_000_000

var errPatchWork = errors.New("the patch takes too much work: write #cloud-config instead")

// patcher applies the operations of a patch.
type patcher struct {
	// steps is the work that is left.
	steps int
}

// work takes steps from those that are left.
func (p *patcher) work(steps int) error {
	if p.steps -= steps; p.steps < 0 {
		return errPatchWork
	}
	return nil
}

// patch applies a JSON patch (RFC 6902) to what the parts before it made, as
// cloud-init does with #cloud-config-jsonp.
func (r *reader) patch(p *piece) {
	const prefix = "#cloud-config-jsonp"
	text := p.text
	if at := bytes.Index(bytes.ToLower(text), []byte(prefix)); at >= 0 && len(bytes.TrimSpace(text[:at])) == 0 {
		text = slices.Concat(text[:at], bytes.Repeat([]byte(" "), len(prefix)), text[at+len(prefix):])
	}
	if !json.Valid(text) {
		r.wrong(p, errors.New("not JSON: below #cloud-config-jsonp stands a JSON patch (RFC 6902)"))
		return
	}
	top, err := r.section.Source.Parse(&p.at, text)
	if err != nil {
		r.wrongYAML(p, err)
		return
	}
	if top == nil || top.Kind != yaml.SequenceNode {
		r.wrong(p, errors.New("a JSON patch is a list of operations"))
		return
	}
	patched := r.merged
	if patched == nil {
		patched = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: top.Line, Column: top.Column}
	}
	before, _ := document.LookUp(patched, "dockhost")
	work := patcher{steps: maxPatchSteps}
	for _, operation := range top.Content {
		if patched, err = work.apply(patched, operation); err != nil {
			r.note(p, Wrong, err.Error())
			r.wrongNode(operation, err.Error())
			return
		}
	}
	if patched.Kind != yaml.MappingNode {
		r.wrong(p, errors.New("the patch leaves no mapping"))
		return
	}
	outcome := Merged
	if after, _ := document.LookUp(patched, "dockhost"); after != before || touches(top, "/dockhost") {
		outcome = Taken
	}
	r.merged = patched
	r.note(p, outcome, "")
}

// touches reports whether an operation has a path that begins so.
func touches(patch *yaml.Node, prefix string) bool {
	return slices.ContainsFunc(patch.Content, func(operation *yaml.Node) bool {
		return operation.Kind == yaml.MappingNode && strings.HasPrefix(fieldOf(operation, "path"), prefix)
	})
}

func fieldOf(operation *yaml.Node, name string) string {
	if _, value := document.LookUp(operation, name); value != nil && value.Kind == yaml.ScalarNode {
		return value.Value
	}
	return ""
}

// apply returns the tree after an operation.
func (p *patcher) apply(tree, operation *yaml.Node) (*yaml.Node, error) {
	if operation.Kind != yaml.MappingNode {
		return nil, errors.New("an operation of a JSON patch is a mapping with op and path")
	}
	path, err := pointer(operation, "path")
	if err != nil {
		return nil, err
	}
	op := fieldOf(operation, "op")
	var value *yaml.Node
	switch op {
	case "add", "replace", "test":
		if _, value = document.LookUp(operation, "value"); value == nil {
			return nil, fmt.Errorf("the operation %s has no value", op)
		}
	case "move", "copy":
		from, err := pointer(operation, "from")
		if err != nil {
			return nil, err
		}
		if value, err = p.find(tree, from); err != nil {
			return nil, err
		}
		if op == "move" {
			if tree, err = p.edit(tree, from, "remove", nil); err != nil {
				return nil, err
			}
		}
		op = "add"
	case "remove":
	default:
		return nil, errors.New("an operation of a JSON patch is add, remove, replace, move, copy or test")
	}
	if op == "test" {
		found, err := p.find(tree, path)
		holds := err == nil && p.same(found, value)
		if p.steps < 0 {
			return nil, errPatchWork
		}
		if !holds {
			return nil, errors.New("the test does not hold: cloud-init drops this part then")
		}
		return tree, nil
	}
	return p.edit(tree, path, op, value)
}

var errNoPath = errors.New("the path leads to nothing in the parts before this one")

// pointer returns the steps of a JSON pointer (RFC 6901).
func pointer(operation *yaml.Node, name string) ([]string, error) {
	_, value := document.LookUp(operation, name)
	if value == nil || value.Kind != yaml.ScalarNode {
		return nil, fmt.Errorf("the operation has no %s", name)
	}
	if value.Value == "" {
		return nil, nil
	}
	rest, ok := strings.CutPrefix(value.Value, "/")
	steps := strings.Split(rest, "/")
	if !ok || len(steps) > 100 {
		return nil, fmt.Errorf("%s is not a JSON pointer, such as /runcmd/0", name)
	}
	for i := range steps {
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[i])
	}
	return steps, nil
}

func (p *patcher) find(tree *yaml.Node, path []string) (*yaml.Node, error) {
	tree = deref(tree)
	if len(path) == 0 {
		return tree, nil
	}
	if err := p.work(1 + len(tree.Content)); err != nil {
		return nil, err
	}
	content, i, err := child(tree, path[0])
	if err != nil || i >= len(content) {
		return nil, errNoPath
	}
	return p.find(content[i], path[1:])
}

// child returns the children of a node, and the index of the one that a step
// leads to. The index after the last one means a new child.
func child(n *yaml.Node, step string) (content []*yaml.Node, i int, err error) {
	if n.Kind == yaml.MappingNode {
		content = flat(n).Content
		for i = 0; i+1 < len(content); i += 2 {
			if content[i].Kind == yaml.ScalarNode && content[i].Value == step {
				return content, i + 1, nil
			}
		}
		return content, len(content) + 1, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, 0, errNoPath
	}
	if step == "-" {
		return n.Content, len(n.Content), nil
	}
	i, err = strconv.Atoi(step)
	if err != nil || i < 0 || i > len(n.Content) || strconv.Itoa(i) != step {
		return nil, 0, errNoPath
	}
	return n.Content, i, nil
}

// edit returns a copy of a tree with one place added, replaced or removed. It
// changes nothing, since trees share what aliases and copies name.
func (p *patcher) edit(tree *yaml.Node, path []string, op string, value *yaml.Node) (*yaml.Node, error) {
	tree = deref(tree)
	if err := p.work(1 + len(tree.Content)); err != nil {
		return nil, err
	}
	if len(path) == 0 {
		if op == "remove" {
			return nil, errNoPath
		}
		return value, nil
	}
	content, i, err := child(tree, path[0])
	if err != nil {
		return nil, err
	}
	there := i < len(content)
	copied := *tree
	copied.Content = slices.Clone(content)
	switch {
	case len(path) > 1 && there:
		below, err := p.edit(content[i], path[1:], op, value)
		copied.Content[i] = below
		return &copied, err
	case len(path) > 1, op != "add" && !there:
		return nil, errNoPath
	case op == "replace", op == "add" && there && tree.Kind == yaml.MappingNode:
		copied.Content[i] = value
	case op == "add" && tree.Kind == yaml.MappingNode:
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: path[0], Line: value.Line, Column: value.Column}
		copied.Content = append(copied.Content, key, value)
	case op == "add":
		copied.Content = slices.Insert(copied.Content, i, value)
	case tree.Kind == yaml.MappingNode:
		copied.Content = slices.Delete(copied.Content, i-1, i+1)
	default:
		copied.Content = slices.Delete(copied.Content, i, i+1)
	}
	return &copied, nil
}

// same reports whether two trees are the same as JSON.
func (p *patcher) same(a, b *yaml.Node) bool {
	a, b = deref(a), deref(b)
	if p.work(1+len(b.Content)) != nil || a.Kind != b.Kind {
		return false
	}
	if a.Kind == yaml.ScalarNode {
		var left, right any
		return a.Decode(&left) == nil && b.Decode(&right) == nil && left == right
	}
	if a.Kind == yaml.MappingNode {
		a, b = flat(a), flat(b)
	}
	if len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		other := b.Content[i]
		if a.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			if p.work(len(b.Content)) != nil {
				return false
			}
			_, other = document.LookUp(b, a.Content[i-1].Value)
		}
		if other == nil || !p.same(a.Content[i], other) {
			return false
		}
	}
	return true
}
