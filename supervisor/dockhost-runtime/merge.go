package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// merge returns base with edit merged into it as package placement documents
// it: objects member by member, lists by appending, but process.env by
// name and mounts by destination; any other value is replaced. A null edit,
// which is how Go encodes an absent list, changes nothing. at is the value's
// path, "" for the whole configuration.
func merge(at string, base, edit json.RawMessage) (json.RawMessage, error) {
	from, to := kindOf(edit), kindOf(base)
	switch {
	case from == kindNone:
		return base, nil
	case to == kindNone && at != "":
		return edit, nil
	case from != to:
		return nil, fmt.Errorf("cannot merge %s: it is %s, and %s in the edits", called(at), to, from)
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

// mergeKeyed puts each edit in the place of the first item with its key, so
// that mounts keep their order, and drops the others that have it; an edit
// with a key of its own, or none, goes to the end.
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

// variableName returns the name in a JSON string NAME=VALUE, or "".
func variableName(item json.RawMessage) string {
	var variable string
	if json.Unmarshal(item, &variable) != nil {
		return ""
	}
	name, _, _ := strings.Cut(variable, "=")
	return name
}

// destination returns where an OCI mount is mounted, or "".
func destination(item json.RawMessage) string {
	var mount struct {
		Destination string `json:"destination"`
	}
	if json.Unmarshal(item, &mount) != nil || mount.Destination == "" {
		return ""
	}
	return path.Clean(mount.Destination)
}

// kind is what a JSON value is, as far as a merge cares.
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
