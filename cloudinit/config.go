package cloudinit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// cloudConfig merges a part that is cloud-config.
func (r *reader) cloudConfig(p *piece) {
	if bytes.HasPrefix(bytes.ToLower(p.text), []byte("## template: jinja")) {
		r.warn("%s: %s begins as a template but has the type %s, so that neither cloud-init nor dockhost renders it: "+
			"give it the type %s", p.at.File, p.name, kindCloudConfig, kindJinja)
	}
	if isGzip(p.text) {
		r.wrong(p, errors.New("packed by gzip, but its type does not say so: give it the type application/gzip"))
		return
	}
	top, err := r.section.Source.Parse(&p.at, p.text)
	if err != nil {
		r.wrongYAML(p, err)
		return
	}
	if top == nil || document.IsNull(top) {
		r.note(p, Merged, "empty")
		return
	}
	if top.Kind != yaml.MappingNode {
		r.note(p, Wrong, "not a mapping")
		r.wrongNode(top, "cloud-config is not a mapping: write lines of KEY: VALUE below #cloud-config")
		return
	}
	r.merge(p, flat(top))
}

// own merges a part of type text/x-dockhost: a dockhost section, with or without
// its key.
func (r *reader) own(p *piece) {
	if r.foreign {
		return
	}
	if isGzip(p.text) {
		if err := r.unpackPart(p); err != nil {
			r.wrong(p, err)
			return
		}
		p.kind = kindDockhost
	}
	if kindOf(p.text) == kindJinja {
		rendered, ok := r.render(p)
		if !ok {
			return
		}
		p = rendered
	}
	top, err := r.section.Source.Parse(&p.at, p.text)
	if err != nil {
		r.wrongYAML(p, err)
		return
	}
	if top == nil || document.IsNull(top) {
		r.note(p, Skipped, "empty")
		return
	}
	if top.Kind != yaml.MappingNode {
		r.note(p, Wrong, "not a mapping")
		r.wrongNode(top, "a part of type "+kindDockhost+" is not a mapping: write containers: in it")
		return
	}
	top = flat(top)
	if key, _ := document.LookUp(top, "dockhost"); key == nil {
		top = underKey(top)
	} else if other := otherKey(top); other != nil {
		r.note(p, Wrong, "more than a dockhost section")
		r.wrongNode(other, "only dockhost may stand beside dockhost in a part of type "+kindDockhost+": give the part the type "+kindCloudConfig)
		return
	}
	r.merge(p, top)
}

// underKey puts a section below the key dockhost, except the keys that say how
// to merge.
func underKey(section *yaml.Node) *yaml.Node {
	inner := *section
	inner.Content = nil
	top := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: section.Line, Column: section.Column}
	for i := 0; i+1 < len(section.Content); i += 2 {
		into := &inner
		if key := section.Content[i]; isMergeKey(key) {
			into = top
		}
		into.Content = append(into.Content, section.Content[i], section.Content[i+1])
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "dockhost", Line: section.Line, Column: section.Column}
	top.Content = append(top.Content, key, &inner)
	return top
}

// otherKey returns a key that is neither dockhost nor says how to merge.
func otherKey(top *yaml.Node) *yaml.Node {
	for i := 0; i+1 < len(top.Content); i += 2 {
		if key := top.Content[i]; key.Value != "dockhost" && !isMergeKey(key) {
			return key
		}
	}
	return nil
}

func isMergeKey(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && (key.Value == "merge_how" || key.Value == "merge_type")
}

// merge merges the mapping of a part into what the parts before it made.
func (r *reader) merge(p *piece, top *yaml.Node) {
	how, err := r.mergersOf(p, top)
	if err == nil {
		if r.merged == nil {
			r.merged = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: top.Line, Column: top.Column}
		}
		how.spend = r.spend
		r.merged, err = how.merge(r.merged, without(top, how.key))
	}
	if wrong, ok := errors.AsType[*mergeError](err); ok {
		r.note(p, Wrong, wrong.Error())
		r.wrongNode(wrong.at, wrong.Error())
		return
	}
	if err != nil {
		r.wrong(p, err)
		return
	}
	key, _ := document.LookUp(top, "dockhost")
	switch {
	case how.dict == nil:
		r.note(p, Skipped, "its merge_how has no dict(), so that cloud-init drops it")
		r.warn("%s: %s is dropped, by cloud-init as well: its merge_how has no dict()", p.at.File, p.name)
	case key != nil:
		r.note(p, Taken, "")
	default:
		r.note(p, Merged, "")
	}
}

// mergersOf returns how a part is merged: as its key merge_how or merge_type
// says, and the header of the part, or as cloud-init does without
// (cloudinit/handlers/cloud_config.py, _extract_mergers).
func (r *reader) mergersOf(p *piece, top *yaml.Node) (*mergers, error) {
	how := &mergers{}
	for _, name := range []string{"merge_how", "merge_type"} {
		key, value := document.LookUp(top, name)
		if key == nil || document.IsNull(value) {
			continue
		}
		how.key = key
		if err := how.fromNode(value); err != nil {
			return nil, err
		}
		break
	}
	header := p.header.exactly("Merge-Type")
	if header == "" {
		header = p.header.exactly("X-Merge-Type")
	}
	if err := how.fromText(top, header); err != nil {
		return nil, err
	}
	if how.none() {
		if err := how.fromText(top, "dict(replace)+list()+str()"); err != nil {
			return nil, err
		}
	}
	for _, option := range how.unknown {
		message := fmt.Sprintf("merge_how: cloud-init knows no option %q and passes over it", document.Shorten(shown(option)))
		if near := document.Nearest(option, strings.Fields(mergeOptions)); near != "" {
			message += fmt.Sprintf(" (did you mean %q?)", near)
		}
		r.warn("%s: %s: %s", p.at.File, p.name, message)
	}
	return how, nil
}

// without returns a mapping without one of its keys.
func without(mapping, drop *yaml.Node) *yaml.Node {
	kept := *mapping
	kept.Content = nil
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		// cloud-init looks at merge_type only where there is no merge_how, and
		// takes out what it has looked at.
		looked := isMergeKey(key) && (drop == nil || drop.Value == "merge_type" || key.Value == "merge_how")
		if !looked {
			kept.Content = append(kept.Content, key, value)
		}
	}
	return &kept
}
