package document

import (
	"maps"
	"slices"
	"strings"
)

// Keys says which keys a mapping may have. The zero value allows anything.
type Keys struct {
	// fields are the keys that a mapping may have, nil for any.
	fields map[string]Keys
	// each is what the values of a mapping with free keys may have.
	each *Keys
	// item is what the items of a list may have.
	item *Keys
}

// Only is a mapping that may have these keys, with anything in them.
func Only(names ...string) Keys {
	fields := make(map[string]Keys, len(names))
	for _, name := range names {
		fields[name] = Keys{}
	}
	return Keys{fields: fields}
}

// With adds a key and what may stand below it.
func (k Keys) With(name string, value Keys) Keys {
	k.fields[name] = value
	return k
}

// Names returns the keys that a mapping may have, sorted.
func (k Keys) Names() []string { return slices.Sorted(maps.Keys(k.fields)) }

// Has reports whether a mapping may have a key.
func (k Keys) Has(name string) bool { _, found := k.fields[name]; return found }

// Field returns what may stand below a key of the mapping.
func (k Keys) Field(name string) Keys { return k.fields[name] }

// Each returns what the items of a list, or the values of a mapping with free
// keys, may have, and false if anything is allowed.
func (k Keys) Each() (Keys, bool) {
	for _, below := range []*Keys{k.item, k.each} {
		if below != nil {
			return *below, true
		}
	}
	return Keys{}, false
}

// ListOf is a list of such items.
func ListOf(item Keys) Keys { return Keys{item: &item} }

// MapOf is a mapping with any keys and such values.
func MapOf(value Keys) Keys { return Keys{each: &value} }

// Check notes each key below a spot that is not allowed there, and returns the
// tree without these, and without keys that begin with "x-", which are
// extensions in Compose and comments elsewhere.
func (r *Report) Check(at Spot, allowed Keys) Spot { return r.checkKeys(at, allowed, "") }

func (r *Report) checkKeys(at Spot, allowed Keys, path string) Spot {
	switch {
	case at.IsMapping() && allowed.fields != nil:
		at = at.Without(func(key string) bool { return strings.HasPrefix(key, "x-") })
		at = r.knownFields(at, allowed.fields, path)
	case at.IsMapping() && allowed.each != nil:
		each := map[string]Keys{}
		for name := range at.Fields() {
			each[name] = *allowed.each
		}
		at = r.knownFields(at, each, path)
	case at.IsList() && allowed.item != nil:
		list := *at.Node
		list.Content = slices.Clone(list.Content)
		for i, item := range at.Items() {
			list.Content[i] = r.checkKeys(item, *allowed.item, path).Node
		}
		at.Node = &list
	}
	return at
}

func (r *Report) knownFields(at Spot, allowed map[string]Keys, path string) Spot {
	for name, value := range at.Fields() {
		if _, ok := allowed[name]; !ok {
			r.UnknownKey(value, name, slices.Collect(maps.Keys(allowed)), r.cure(dotted(path, name)))
		}
	}
	at = at.Without(func(name string) bool { _, ok := allowed[name]; return !ok })
	content := slices.Clone(at.Node.Content)
	for i := 0; i+1 < len(content); i += 2 {
		name := content[i].Value
		value := Spot{Path: Join(at.Path, name), Key: content[i], Node: content[i+1]}
		content[i+1] = r.checkKeys(value, allowed[name], dotted(path, name)).Node
	}
	at.Node.Content = content
	return at
}

func dotted(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// maxHints is how many problems a report may have before it stops to suggest
// another key: to search for one takes a while.
const maxHints = 200

// UnknownKey notes a key that is not allowed, with the cure or with the
// allowed key that it looks like.
func (r *Report) UnknownKey(at Spot, name string, allowed []string, cure string) {
	near := ""
	if cure == "" && r.count < maxHints {
		near = Nearest(name, allowed)
	}
	switch {
	case cure != "":
		r.Errorf(at, "cannot use %q %s", name, cure)
	case near != "":
		r.Errorf(at, "unknown key %q (did you mean %q?)", Shorten(name), near)
	default:
		r.Errorf(at, "unknown key %q", Shorten(name))
	}
}

// Nearest returns the one of some words that a word is a misspelling of, or "".
func Nearest(word string, words []string) string {
	best, bestDistance := "", 3
	if len(word) < 5 {
		bestDistance = 2
	}
	if len(word) > maxShown {
		return ""
	}
	for _, candidate := range slices.Sorted(slices.Values(words)) {
		if d := distance(word, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance is Levenshtein's: how many bytes must be changed, added or removed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
