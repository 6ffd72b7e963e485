package cloudinit

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// mergers say how mappings, lists and texts of two parts become one, as in
// cloud-init (cloudinit/mergers). Without a merger the old value stays.
type mergers struct {
	dict, list, str *merger
	// key is the key that names the mergers.
	key *yaml.Node
	// unknown are options that cloud-init does not have.
	unknown []string
	// spend counts the text that merging produces.
	spend func(int) error
}

// merger is one of them, with its options.
type merger struct{ options []string }

// mergeOptions are the options of all mergers.
const mergeOptions = "replace no_replace append prepend recurse_str recurse_dict recurse_array recurse_list allow_delete"

// mergeError says what cannot be merged, and where.
type mergeError struct {
	at      *yaml.Node
	message string
}

func (e *mergeError) Error() string { return e.message }

func (m *mergers) none() bool { return m.dict == nil && m.list == nil && m.str == nil }

// oneMerger is a merger with its options, as text.
var oneMerger = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([a-z_][a-z0-9_]*)\((.*?)\)$`) })

// fromText adds mergers from "list(append)+dict(recurse_array)".
func (m *mergers) fromText(at *yaml.Node, text string) error {
	for one := range strings.SplitSeq(text, "+") {
		one = strings.ReplaceAll(strings.TrimSpace(strings.ToLower(one)), "-", "_")
		if one == "" {
			continue
		}
		found := oneMerger().FindStringSubmatch(one)
		if found == nil {
			return &mergeError{at, "merge_how is not like list(append)+dict(recurse_array)+str()"}
		}
		var options []string
		for option := range strings.SplitSeq(found[2], ",") {
			if option = strings.TrimSpace(option); option != "" {
				options = append(options, option)
			}
		}
		if err := m.add(at, found[1], options); err != nil {
			return err
		}
	}
	return nil
}

// fromNode adds mergers from merge_how: a text, or a list of mappings with name
// and settings, or of lists with the name first.
func (m *mergers) fromNode(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return m.fromText(n, n.Value)
	}
	wrong := &mergeError{n, "merge_how is neither a text like list(append)+dict(recurse_array) nor a list of name and settings"}
	if n.Kind != yaml.SequenceNode {
		return wrong
	}
	for _, item := range n.Content {
		words, ok := mergerWords(deref(item))
		if !ok {
			return wrong
		}
		if words[0] == "" {
			continue
		}
		if err := m.add(n, words[0], words[1:]); err != nil {
			return err
		}
	}
	return nil
}

// mergerWords returns the name of a merger and its options.
func mergerWords(item *yaml.Node) (words []string, ok bool) {
	var nodes []*yaml.Node
	if item.Kind == yaml.SequenceNode {
		nodes = item.Content
	}
	if item.Kind == yaml.MappingNode {
		_, name := document.LookUp(item, "name")
		_, settings := document.LookUp(item, "settings")
		if name == nil || settings == nil || settings.Kind != yaml.SequenceNode {
			return nil, false
		}
		nodes = append([]*yaml.Node{name}, settings.Content...)
	}
	for i, n := range nodes {
		if n = deref(n); n.Kind != yaml.ScalarNode {
			return nil, false
		}
		if i == 0 && item.Kind == yaml.MappingNode {
			words = append(words, strings.TrimSpace(strings.ReplaceAll(n.Value, "-", "_")))
			continue
		}
		words = append(words, n.Value)
	}
	return words, len(words) > 0
}

// add adds a merger; the first of a kind counts.
func (m *mergers) add(at *yaml.Node, name string, options []string) error {
	for _, option := range options {
		if !slices.Contains(strings.Fields(mergeOptions), option) {
			m.unknown = append(m.unknown, option)
		}
	}
	slot, ok := map[string]**merger{"dict": &m.dict, "list": &m.list, "str": &m.str}[strings.TrimPrefix(name, "m_")]
	if !ok {
		return &mergeError{at, "unknown merger in merge_how (use dict(), list() or str())"}
	}
	if *slot == nil {
		*slot = &merger{options}
	}
	return nil
}

func (m *merger) has(option string) bool { return slices.Contains(m.options, option) }

// method returns the first of some options that is set.
func (m *merger) method(names ...string) string {
	for _, name := range names {
		if m.has(name) {
			return name
		}
	}
	return ""
}

// recurses reports whether a new value of this kind is merged into the old one.
func (m *merger) recurses(n *yaml.Node) bool {
	if n.Kind == yaml.SequenceNode {
		return m.has("recurse_array") || m.has("recurse_list")
	}
	if n.Kind == yaml.MappingNode {
		return m.has("recurse_dict")
	}
	return isText(n) && m.has("recurse_str")
}

// merge returns the merged value of an old and a new one. It changes neither.
func (m *mergers) merge(old, new *yaml.Node) (*yaml.Node, error) {
	old, new = deref(old), deref(new)
	switch {
	case old.Kind == yaml.MappingNode && m.dict != nil:
		return m.mergeDict(old, new)
	case old.Kind == yaml.SequenceNode && m.list != nil:
		return m.mergeList(old, new)
	case isText(old) && m.str != nil:
		return m.mergeText(old, new)
	}
	return old, nil
}

func (m *mergers) mergeDict(old, new *yaml.Node) (*yaml.Node, error) {
	if new.Kind != yaml.MappingNode {
		return old, nil
	}
	merged := *flat(old)
	merged.Content = slices.Clone(merged.Content)
	places := map[string]int{}
	for i := 0; i+1 < len(merged.Content); i += 2 {
		places[identity(merged.Content[i])] = i
	}
	replace := m.dict.method("replace", "no_replace") == "replace"
	content := flat(new).Content
	for j := 0; j+1 < len(content); j += 2 {
		key, value := content[j], deref(content[j+1])
		i, there := places[identity(key)]
		switch {
		case key.Kind != yaml.ScalarNode || !there:
			places[identity(key)] = len(merged.Content)
			merged.Content = append(merged.Content, key, value)
		case document.IsNull(value) && m.dict.has("allow_delete"):
			merged.Content[i], merged.Content[i+1] = nil, nil
			delete(places, identity(key))
		case replace:
			merged.Content[i], merged.Content[i+1] = key, value
		case value.Kind == yaml.MappingNode || m.dict.recurses(value):
			both, err := m.merge(merged.Content[i+1], value)
			if err != nil {
				return nil, err
			}
			merged.Content[i+1] = both
		}
	}
	merged.Content = slices.DeleteFunc(merged.Content, func(n *yaml.Node) bool { return n == nil })
	return &merged, nil
}

func (m *mergers) mergeList(old, new *yaml.Node) (*yaml.Node, error) {
	method := m.list.method("append", "prepend", "replace", "no_replace")
	if new.Kind != yaml.SequenceNode {
		if method == "" || method == "replace" {
			return new, nil
		}
		return nil, &mergeError{new, "cannot merge this into the list of an earlier part: it is no list"}
	}
	merged := *old
	switch method {
	case "append":
		merged.Content = slices.Concat(old.Content, new.Content)
		return &merged, nil
	case "prepend":
		merged.Content = slices.Concat(new.Content, old.Content)
		return &merged, nil
	case "no_replace":
		return old, nil
	}
	merged.Content = slices.Clone(old.Content)
	for i := range min(len(old.Content), len(new.Content)) {
		value := deref(new.Content[i])
		if m.list.recurses(value) {
			both, err := m.merge(old.Content[i], value)
			if err != nil {
				return nil, err
			}
			value = both
		}
		merged.Content[i] = value
	}
	return &merged, nil
}

func (m *mergers) mergeText(old, new *yaml.Node) (*yaml.Node, error) {
	if !m.str.has("append") {
		return new, nil
	}
	if !isText(new) {
		return nil, &mergeError{new, "cannot append this to the text of an earlier part: it is no text"}
	}
	if err := m.spend(len(old.Value) + len(new.Value)); err != nil {
		return nil, err
	}
	both := *new
	both.Tag, both.Style, both.Value = "!!str", yaml.DoubleQuotedStyle, old.Value+new.Value
	return &both, nil
}

// identity returns a string that is equal for equal keys.
func identity(key *yaml.Node) string {
	if isText(key) {
		return "text " + key.Value
	}
	return "other " + key.Value
}

func deref(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// isText reports whether PyYAML makes a str of a node. It reads YAML 1.1, in
// which "yes" is true and "22:22" a number.
func isText(n *yaml.Node) bool {
	n = deref(n)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return false
	}
	quoted := yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle | yaml.TaggedStyle
	return n.Style&quoted != 0 || !yaml11(n.Value)
}

// yaml11 reports whether a plain word that is text in YAML 1.2 is a boolean or a
// number (base 60 or 2) in YAML 1.1.
func yaml11(word string) bool {
	switch strings.ToLower(word) {
	case "yes", "no", "on", "off":
		return true
	}
	number := strings.TrimLeft(word, "+-")
	if digits, ok := strings.CutPrefix(number, "0b"); ok {
		return digits != "" && strings.Trim(digits, "01_") == ""
	}
	first, rest, ok := strings.Cut(number, ":")
	return ok && first != "" && rest != "" && strings.Trim(first, "0123456789_") == "" && strings.Trim(rest, "0123456789_:.") == ""
}

// flat returns a mapping with its merge keys ("<<") applied.
func flat(n *yaml.Node) *yaml.Node {
	has := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		has = has || n.Content[i].ShortTag() == "!!merge"
	}
	if !has {
		return n
	}
	flattened := *n
	flattened.Content = nil
	seen := map[string]bool{}
	add := func(from *yaml.Node) {
		for i := 0; i+1 < len(from.Content); i += 2 {
			key := from.Content[i]
			if key.ShortTag() != "!!merge" && !seen[identity(key)] {
				seen[identity(key)] = true
				flattened.Content = append(flattened.Content, key, from.Content[i+1])
			}
		}
	}
	add(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() != "!!merge" {
			continue
		}
		for _, from := range mergedMappings(n.Content[i+1]) {
			add(flat(from))
		}
	}
	return &flattened
}

// mergedMappings are the mappings that a merge key names.
func mergedMappings(n *yaml.Node) []*yaml.Node {
	n = deref(n)
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	var mappings []*yaml.Node
	for _, item := range list {
		if item = deref(item); item.Kind == yaml.MappingNode {
			mappings = append(mappings, item)
		}
	}
	return mappings
}
