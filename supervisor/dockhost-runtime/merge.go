package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// merge returns base with edit merged into it, by the rules of package placement:
// objects are merged member by member and lists are appended, but process.env is
// merged by name and mounts by destination. Any other value is replaced. A null
// edit, which is how Go encodes a nil slice, changes nothing. at is the path of
// the value, "" for the whole configuration.
func merge(at string, base, edit json.RawMessage) (json.RawMessage, error) {
	from, to := kindOf(edit), kindOf(base)
	switch {
	case from == kindNone:
		return base, nil
	case to == kindNone && at != "":
		return edit, nil
	case from != to:
		return nil, fmt.Errorf("cannot merge %s: it is %s, but %s in the edits", called(at), to, from)
	case from == kindObject:
		return mergeObjects(at, base, edit)
	case from == kindList:
		return mergeLists(at, base, edit)
	default:
		return edit, nil
	}
}

func mergeObjects(at string, base, edit json.RawMessage) (json.RawMessage, error) {
	members, err := object(at, base)
	if err != nil {
		return nil, err
	}
	edits, err := object(at, edit)
	if err != nil {
		return nil, err
	}
	for name, value := range edits {
		below := name
		if at != "" {
			below = at + "." + name
		}
		merged, err := merge(below, members[name], value)
		if err != nil {
			return nil, err
		}
		if merged != nil {
			members[name] = merged
		}
	}
	return encode(members)
}

func mergeLists(at string, base, edit json.RawMessage) (json.RawMessage, error) {
	var items, edits []json.RawMessage
	if err := json.Unmarshal(base, &items); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(edit, &edits); err != nil {
		return nil, err
	}
	switch at {
	case "process.env":
		items = mergeKeyed(items, edits, variableName)
	case "mounts":
		items = mergeKeyed(items, edits, destination)
	default:
		items = append(items, edits...)
	}
	return encode(items)
}

// mergeKeyed replaces the first item with the key of an edit by that edit, so that
// mounts keep their order, and drops further items with the key. An edit with a
// new key, or without one, is appended.
func mergeKeyed(items, edits []json.RawMessage, key func(json.RawMessage) string) []json.RawMessage {
	for _, edit := range edits {
		k := key(edit)
		same := func(item json.RawMessage) bool { return k != "" && key(item) == k }
		i := slices.IndexFunc(items, same)
		if i < 0 {
			items = append(items, edit)
			continue
		}
		items[i] = edit
		items = append(items[:i+1], slices.DeleteFunc(items[i+1:], same)...)
	}
	return items
}

// variableName returns the name in a JSON string NAME=VALUE; "" for anything
// other.
func variableName(item json.RawMessage) string {
	var variable string
	if json.Unmarshal(item, &variable) != nil {
		return ""
	}
	name, _, _ := strings.Cut(variable, "=")
	return name
}

// destination returns the destination of an OCI mount; "" if it has none.
func destination(item json.RawMessage) string {
	var mount struct {
		Destination string `json:"destination"`
	}
	if json.Unmarshal(item, &mount) != nil || mount.Destination == "" {
		return ""
	}
	return path.Clean(mount.Destination)
}

// kind is the kind of a JSON value, as far as merge needs it.
type kind string

const (
	kindNone   kind = "null"
	kindObject kind = "an object"
	kindList   kind = "a list"
	kindScalar kind = "a plain value"
)

func kindOf(value json.RawMessage) kind {
	switch text := bytes.TrimLeft(value, " \t\r\n"); {
	case len(text) == 0 || text[0] == 'n':
		return kindNone
	case text[0] == '{':
		return kindObject
	case text[0] == '[':
		return kindList
	default:
		return kindScalar
	}
}
