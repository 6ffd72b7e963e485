package config

import (
	"net/url"
	"path"

	"github.com/dockhost/dockhost/internal/document"
)

// Webhook is where the outcome of each update is reported.
type Webhook struct {
	// URL is an https address. It may contain a token, so it is not logged.
	URL string
	// SecretFile is a file on the host with the key that signs each report.
	SecretFile string
}

// maxURL bounds the address.
const maxURL = 2000

func (r reader) webhook(at document.Spot) *Webhook {
	if !r.mapping(at, "url: https://... and secret_file: PATH") {
		return nil
	}
	address, file := at.Field("url"), at.Field("secret_file")
	parsed, err := url.Parse(address.Text())
	switch {
	case address.Text() == "":
		r.Errorf(at, "no url: write the https address that gets the outcome of each update")
	case err != nil, len(address.Text()) > maxURL, parsed.Hostname() == "":
		r.Errorf(address, "not an address: write https://HOST/PATH")
	case parsed.Scheme != "https":
		r.Errorf(address, "not https: write https://HOST/PATH, so that nobody can read or change a report")
	case parsed.User != nil, parsed.Fragment != "":
		r.Errorf(address, "cannot have a login or a fragment: the receiver knows a report by its signature (secret_file)")
	}
	switch name := file.Text(); {
	case name == "":
		r.Errorf(at, "no secret_file: write the path of a file with the key that signs the reports")
	case !path.IsAbs(name), path.Clean(name) != name, name == "/":
		r.Errorf(file, "not a file: write an absolute path, without . and .. in it, such as /etc/dockhost/webhook.key")
	}
	return &Webhook{URL: address.Text(), SecretFile: file.Text()}
}
