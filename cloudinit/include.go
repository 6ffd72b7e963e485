package cloudinit

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/dockhost/dockhost/internal/document"
)

// include reads the addresses of an #include, one per line, and what they hold.
func (r *reader) include(ctx context.Context, p *piece) {
	addresses := includes(string(p.text))
	if r.Include == nil {
		r.section.Opaque = true
		r.note(p, Skipped, "includes are off")
		r.warn("%s: includes are off: the %d addresses of %s are not read "+
			"(user_data.include in dockhost.yaml turns them on)", p.at.File, len(addresses), p.name)
		return
	}
	r.note(p, Unpacked, "")
	for _, a := range addresses {
		if err := r.fetch(ctx, a.text); err != nil {
			r.problem(&p.at, a.line, err.Error())
		}
	}
}

// address is a line of an #include.
type address struct {
	text string
	line int
}

// includes returns the addresses of an #include. "#include URL" is one, too;
// other lines that begin with "#" are comments.
func includes(text string) []address {
	var addresses []address
	line := 0
	for text := range strings.Lines(text) {
		line++
		lower := strings.ToLower(text)
		for _, prefix := range []string{"#include-once", "#include"} {
			if strings.HasPrefix(lower, prefix) {
				text = strings.TrimLeft(text[len(prefix):], " \t")
				break
			}
		}
		if text = strings.TrimSpace(text); text != "" && !strings.HasPrefix(text, "#") {
			addresses = append(addresses, address{text, line})
		}
	}
	return addresses
}

// fetch reads the document at an address like user data, as cloud-init does.
func (r *reader) fetch(ctx context.Context, address string) error {
	location, err := url.Parse(address)
	if err != nil || location.Scheme != "http" && location.Scheme != "https" || location.Host == "" {
		return errors.New("cannot include this: only http:// and https:// addresses are included")
	}
	name := shown(location.Host + location.Path)
	if r.fetched++; r.fetched > maxIncludes {
		return fmt.Errorf("more than %d includes", maxIncludes)
	}
	text, err := r.Include(ctx, address)
	if err == nil {
		err = r.spend(len(text))
	}
	if err == nil && isGzip(text) {
		text, err = r.gunzip(text)
	}
	if err != nil {
		return fmt.Errorf("include %s: %w", name, withoutURL(err))
	}
	place := r.place(&name)
	r.blob(ctx, &piece{name: name, at: document.Origin{File: place}, whole: true}, text)
	return nil
}

// withoutURL takes the address out of an error of net/http: it may hold a login.
func withoutURL(err error) error {
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return failure.Err
	}
	return err
}
