package cloudinit

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// kindCloudConfig is the only kind of user data that has a dockhost section.
const kindCloudConfig = "text/cloud-config"

// Section is the `dockhost:` section of user data.
type Section struct {
	// File names the source in messages: "user-data".
	File string
	// Kind is the MIME type that cloud-init has for this user data:
	// "text/cloud-config", "text/x-shellscript" and so on, "text/plain" for
	// text that cloud-init does not know, "application/octet-stream" for what
	// is no text, and "" for empty user data.
	Kind string
	// Opaque says that the user data is of a kind that may hold a dockhost
	// section which is not looked for: several parts, a template, an include.
	Opaque bool
	// Node is the mapping below `dockhost:`, nil when the user data has no such
	// key. Source says where its lines come from.
	Node   *yaml.Node
	Source *document.Source
}

// Section finds the `dockhost:` section. User data that has none is no error.
// The error is a *document.Problem where the user data can be read and is wrong.
func (u *UserData) Section() (*Section, error) {
	section := &Section{File: filepath.Base(u.Path)}
	section.Source = document.File(section.File)
	text, err := unpack(u.Raw)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", section.File, err)
	}
	section.Kind = kindOf(text)
	section.Opaque = opaque(section.Kind)
	if section.Kind != kindCloudConfig {
		return section.unless(headerMissing(section, text))
	}
	top, err := document.Parse(section.File, text)
	if err != nil || top == nil || document.IsNull(top) {
		return section.unless(err)
	}
	if top.Kind != yaml.MappingNode {
		return nil, document.ProblemAt(section.File, top, "cloud-config is not a mapping: write lines of KEY: VALUE below #cloud-config")
	}
	key, value := document.LookUp(top, "dockhost")
	if key == nil {
		return section, nil
	}
	if value.Kind != yaml.MappingNode {
		return nil, document.ProblemAt(section.File, key, "dockhost is not a mapping: write containers: below it, indented, or remove it")
	}
	section.Node = value
	return section, nil
}

func (s *Section) unless(err error) (*Section, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// unpack returns the text of user data that may be packed by gzip.
func unpack(raw []byte) ([]byte, error) {
	if !bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		return raw, nil
	}
	packed, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("damaged gzip (pack it again: gzip -k user-data): %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(packed, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("damaged gzip (pack it again: gzip -k user-data): %w", err)
	}
	if len(text) > MaxSize {
		return nil, fmt.Errorf("larger than %d MiB", MaxSize>>20)
	}
	return text, nil
}

// header is what a kind of user data begins with.
type header struct{ prefix, kind string }

// headers are cloud-init's, the longest first where one begins as another
// does (cloudinit/handlers/__init__.py, INCLUSION_TYPES_MAP).
func headers() []header {
	return []header{
		{"#cloud-config-archive", "text/cloud-config-archive"},
		{"#cloud-config-jsonp", "text/cloud-config-jsonp"},
		{"## template: jinja", "text/jinja2"},
		{"#cloud-boothook", "text/cloud-boothook"},
		{"#include-once", "text/x-include-once-url"},
		{"#part-handler", "text/part-handler"},
		{"#cloud-config", kindCloudConfig},
		{"#upstart-job", "text/upstart-job"},
		{"#include", "text/x-include-url"},
		{"#!", "text/x-shellscript"},
		{"content-type: multipart/", "multipart/mixed"},
		{"mime-version:", "multipart/mixed"},
	}
}

// kindOf tells the kind of user data by its beginning as cloud-init does:
// leading white space and case do not count.
func kindOf(text []byte) string {
	text = bytes.TrimLeft(text, " \t\r\n\v\f")
	if len(text) == 0 {
		return ""
	}
	start := strings.ToLower(string(text[:min(len(text), 64)]))
	for _, h := range headers() {
		if strings.HasPrefix(start, h.prefix) {
			return h.kind
		}
	}
	if bytes.Contains(bytes.ToLower(text[:min(len(text), 4096)]), []byte("\nmime-version:")) {
		return "multipart/mixed"
	}
	if !utf8.Valid(text) {
		return "application/octet-stream"
	}
	return "text/plain"
}

// opaque says whether user data of this kind may hold cloud-config inside.
func opaque(kind string) bool {
	switch kind {
	case "multipart/mixed", "text/cloud-config-archive", "text/cloud-config-jsonp", "text/jinja2",
		"text/x-include-url", "text/x-include-once-url", "application/octet-stream":
		return true
	}
	return false
}

// headerMissing is an error for text that was meant to be cloud-config: left
// alone, the host would run nothing and nobody would know why.
func headerMissing(section *Section, text []byte) error {
	const key = "dockhost:"
	if section.Kind != "text/plain" || !bytes.HasPrefix(text, []byte(key)) && !bytes.Contains(text, []byte("\n"+key)) {
		return nil
	}
	return &document.Problem{File: section.File, Line: 1, Column: 1, Message: "the first line is not #cloud-config, so this is not read: add that line"}
}
