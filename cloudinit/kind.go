package cloudinit

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// The types of parts that mean something here. cloud-init has more
// (cloudinit/handlers/__init__.py).
const (
	kindCloudConfig = "text/cloud-config"
	kindPatch       = "text/cloud-config-jsonp"
	kindArchive     = "text/cloud-config-archive"
	kindJinja       = "text/jinja2"
	kindInclude     = "text/x-include-url"
	kindIncludeOnce = "text/x-include-once-url"
	kindScript      = "text/x-shellscript"
	kindBoothook    = "text/cloud-boothook"
	kindPartHandler = "text/part-handler"
	kindMultipart   = "multipart/mixed"
	kindPlain       = "text/plain"
	kindBinary      = "application/octet-stream"
	// kindDockhost is ours: the dockhost section alone.
	kindDockhost = "text/x-dockhost"
	// kindNone is what cloud-init calls what is no message.
	kindNone = "text/x-not-multipart"
)

// header is what a kind of user data begins with.
type header struct{ prefix, kind string }

// headers are cloud-init's, the longest first where one begins as another
// does (cloudinit/handlers/__init__.py, INCLUSION_TYPES_MAP).
func headers() []header {
	return []header{
		{"#cloud-config-archive", kindArchive},
		{"#cloud-config-jsonp", kindPatch},
		{"## template: jinja", kindJinja},
		{"#cloud-boothook", kindBoothook},
		{"#include-once", kindIncludeOnce},
		{"#part-handler", kindPartHandler},
		{"#cloud-config", kindCloudConfig},
		{"#include", kindInclude},
		{"#!", kindScript},
	}
}

// kindOf tells the kind of a part by its beginning as cloud-init does, or "":
// leading white space and case do not count.
func kindOf(text []byte) string {
	text = bytes.TrimLeft(text, " \t\r\n\v\f")
	start := strings.ToLower(string(text[:min(len(text), 64)]))
	for _, h := range headers() {
		if strings.HasPrefix(start, h.prefix) {
			return h.kind
		}
	}
	return ""
}

// isMessage reports whether cloud-init takes text for a MIME message.
func isMessage(text []byte) bool {
	return bytes.Contains(bytes.ToLower(text[:min(len(text), 4096)]), []byte("mime-version:"))
}

// kindOfAll tells the kind of user data as a whole.
func kindOfAll(text []byte) string {
	if kind := kindOf(text); kind != "" {
		return kind
	}
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return ""
	case isMessage(text):
		return kindMultipart
	case !utf8.Valid(text):
		return kindBinary
	}
	return kindPlain
}

// whose says who a part of a kind that is not looked into is for.
func whose(kind string) string {
	switch {
	case kind == kindScript, strings.HasPrefix(kind, "text/x-shellscript-per-"), kind == kindBoothook:
		return "a script, which cloud-init runs"
	case kind == kindPartHandler:
		return "a part handler, which cloud-init runs"
	case kind == kindArchive, kind == kindInclude, kind == kindIncludeOnce:
		return "cloud-init does not unpack this type inside an archive"
	}
	return "not a type that dockhost reads"
}
