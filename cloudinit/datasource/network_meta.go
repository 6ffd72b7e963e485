package datasource

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/document"
)

// json reads meta-data that is a JSON object.
func (s *session) json(ctx context.Context, path string) (map[string]any, error) {
	var header http.Header
	if s.meta.accept != "" {
		header = http.Header{"Accept": {s.meta.accept}}
	}
	raw, _, err := s.getWith(ctx, path, header)
	if err != nil {
		return nil, err
	}
	doc, ok := parseObject(raw)
	if !ok {
		return nil, refusal("its answer to " + withoutQuery(path) + " is not a JSON object")
	}
	return doc, nil
}

// parseObject returns a JSON object, with each number as it is written:
// instance ids are numbers of 64 bits.
func parseObject(raw []byte) (map[string]any, bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var doc map[string]any
	if err := decoder.Decode(&doc); err != nil || doc == nil {
		return nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return doc, true
}

// yaml reads meta-data that is a YAML mapping.
func (s *session) yaml(ctx context.Context, path string) (map[string]any, error) {
	raw, err := s.get(ctx, path)
	if err != nil {
		return nil, err
	}
	if doc, ok := parseMapping(raw); ok {
		return doc, nil
	}
	return nil, refusal("its answer to " + path + " is not a YAML mapping")
}

func parseMapping(raw []byte) (map[string]any, bool) {
	top, err := document.Parse("meta-data", raw)
	if err != nil || top == nil || top.Kind != yaml.MappingNode {
		return nil, false
	}
	var doc map[string]any
	if err := top.Decode(&doc); err != nil || doc == nil {
		return nil, false
	}
	return doc, true
}

// Bounds of EC2's tree: a real one has about 60 entries.
const (
	treeEntries = 1000
	treeDepth   = 12
)

// tree reads meta-data that is a tree of directories, each a list of names, in
// the way of cloud-init (sources/helpers/ec2.py).
func (s *session) tree(ctx context.Context, path string) (map[string]any, error) {
	walk := walker{session: s}
	return walk.directory(ctx, path, 0)
}

type walker struct {
	*session
	entries, bytes int
}

func (w *walker) directory(ctx context.Context, path string, depth int) (map[string]any, error) {
	listing, err := w.fetch(ctx, path)
	if err != nil {
		return nil, err
	}
	if depth > treeDepth {
		return nil, refusal("its meta-data is nested too deeply")
	}
	names := map[string]any{}
	for _, e := range parseListing(listing) {
		var value any
		if e.directory {
			value, err = w.directory(ctx, path+e.path, depth+1)
		} else {
			var raw []byte
			raw, err = w.fetch(ctx, path+e.path)
			value = leaf(raw)
		}
		// The entry was removed after the listing.
		if status := (*statusError)(nil); errors.As(err, &status) && status.code == http.StatusNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		names[e.name] = value
	}
	return names, nil
}

func (w *walker) fetch(ctx context.Context, path string) ([]byte, error) {
	raw, err := w.get(ctx, path)
	w.entries++
	w.bytes += len(raw)
	if w.entries > treeEntries || w.bytes > cloudinit.MaxSize {
		return nil, refusal(fmt.Sprintf("its meta-data has more than %d entries or %d MiB", treeEntries, cloudinit.MaxSize>>20))
	}
	return raw, err
}

// entry is a line of a listing.
type entry struct {
	name, path string
	directory  bool
}

// parseListing reads the lines NAME, NAME/ and, for keys, NUMBER=NAME.
// Credentials are left out, and so is what is beyond treeEntries.
func parseListing(listing []byte) []entry {
	var entries []entry
	seen := map[string]bool{}
	for line := range strings.Lines(string(listing)) {
		line = strings.TrimSpace(line)
		name, directory := strings.CutSuffix(line, "/")
		if name == "" || name == "." || name == ".." || name == "security-credentials" || strings.Contains(name, "/") {
			continue
		}
		e := entry{name: name, path: url.PathEscape(name), directory: directory}
		number, key, _ := strings.Cut(name, "=")
		if _, err := strconv.ParseUint(number, 10, 32); err == nil && key != "" && !directory {
			e.name, e.path = key, number+"/openssh-key"
		}
		if directory {
			e.path += "/"
		}
		if !seen[e.name] {
			seen[e.name] = true
			entries = append(entries, e)
		}
		if len(entries) > treeEntries {
			break // the walk is refused
		}
	}
	return entries
}

// leaf is JSON, a list of lines, or a line.
func leaf(raw []byte) any {
	clean := bytes.TrimSpace(raw)
	if bytes.HasPrefix(clean, []byte("{")) {
		if doc, ok := parseObject(clean); ok {
			return doc
		}
	}
	if bytes.ContainsRune(raw, '\n') {
		var lines []any
		for line := range strings.Lines(string(raw)) {
			lines = append(lines, strings.TrimRight(line, "\r\n"))
		}
		return lines
	}
	return string(raw)
}

// look returns the value at a path of keys, "compute.vmId", or nil. Of several
// paths, divided by "|", the first with a value counts.
func look(doc map[string]any, paths string) any {
	for path := range strings.SplitSeq(paths, "|") {
		var at any = doc
		for key := range strings.SplitSeq(path, ".") {
			object, _ := at.(map[string]any)
			at = object[key]
		}
		if at != nil {
			return at
		}
	}
	return nil
}

// text returns text and numbers as text, and "" for any other value.
func text(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case int, int64, uint64, float64, bool:
		return fmt.Sprint(value)
	}
	return ""
}

// base64Always decodes user data that the platform always encodes. It ignores
// white space.
func base64Always(raw []byte) ([]byte, error) {
	packed := bytes.Join(bytes.Fields(raw), nil)
	unpacked := make([]byte, base64.StdEncoding.DecodedLen(len(packed)))
	n, err := base64.StdEncoding.Decode(unpacked, packed)
	if err != nil {
		return nil, refusal("its user data is not base64")
	}
	return unpacked[:n], nil
}

// base64Maybe decodes user data that is valid base64, as cloud-init does for
// platforms without binary user data (util.maybe_b64decode).
func base64Maybe(raw []byte) ([]byte, error) {
	if bytes.ContainsAny(raw, "\r\n") {
		return raw, nil
	}
	unpacked, err := base64.StdEncoding.DecodeString(string(raw))
	if err != nil {
		return raw, nil //nolint:nilerr // not base64: the text itself
	}
	return unpacked, nil
}
