package cloudinit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// reader unpacks user data and merges the cloud-config in it. It does what
// cloud-init does (cloudinit/user_data.py, cloudinit/handlers), in its order.
type reader struct {
	Options
	budget
	section  *Section
	metadata map[string]any
	problems document.Problems
	// merged is what all parts so far make together, nil for nothing.
	merged *yaml.Node
	// foreign leaves out the parts that only dockhost reads, so that merged is
	// what cloud-init has.
	foreign            bool
	levels, fetched    int
	tooMany, hasLaunch bool
}

func newReader(u *UserData, o Options) *reader {
	return &reader{
		Options:  o,
		budget:   budget{left: MaxSize},
		metadata: u.Metadata,
		section:  &Section{File: filepath.Base(u.Path), Source: &document.Source{}},
	}
}

// piece is a part that is being read.
type piece struct {
	name   string
	kind   string
	text   []byte
	header fields
	// at is where its text stands.
	at document.Origin
	// whole says that it is all of the user data, or of what was included.
	whole bool
	// archived says that it was in an archive, in which cloud-init unpacks
	// nothing further.
	archived bool
}

// note records what was done with a piece.
func (r *reader) note(p *piece, outcome Outcome, why string) {
	r.section.Parts = append(r.section.Parts, Part{Name: p.name, Type: p.kind, Size: len(p.text), Outcome: outcome, Why: why})
}

func (r *reader) warn(format string, args ...any) {
	r.section.Warnings = append(r.section.Warnings, fmt.Sprintf(format, args...))
}

// wrong notes a problem with a piece as a whole.
func (r *reader) wrong(p *piece, err error) {
	r.note(p, Wrong, err.Error())
	r.problem(&p.at, 1, err.Error())
}

// wrongYAML notes what the parser found wrong with a piece.
func (r *reader) wrongYAML(p *piece, err error) {
	var problem *document.Problem
	if !errors.As(err, &problem) {
		r.wrong(p, err)
		return
	}
	r.note(p, Wrong, problem.Message)
	r.problems = append(r.problems, problem)
}

func (r *reader) problem(at *document.Origin, line int, message string) {
	r.problemAt(at, line, 1, message)
}

func (r *reader) problemAt(at *document.Origin, line, column int, message string) {
	line, column = at.Position(line, column)
	r.problems = append(r.problems, &document.Problem{File: at.File, Line: line, Column: column, Message: message})
}

// wrongNode notes a problem at a node of a tree of the section's source.
func (r *reader) wrongNode(n *yaml.Node, message string) {
	file, line := r.section.Source.Position(max(n.Line, 1))
	r.problems = append(r.problems, &document.Problem{File: file, Line: line, Column: max(n.Column, 1), Message: message})
}

// whole reads all of the user data.
func (r *reader) whole(ctx context.Context, raw []byte) {
	p := &piece{name: r.section.File, at: document.Origin{File: r.section.File}, whole: true, text: raw}
	text, err := r.unwrap(raw)
	if err != nil {
		p.kind = kindBinary
		r.section.Kind = kindBinary
		r.wrong(p, err)
		return
	}
	r.section.Kind = kindOfAll(text)
	r.blob(ctx, p, text)
}

// unwrap undoes what is around user data as a whole: gzip, and base64, which
// some clouds hand over as it was given (cloud-init decodes it in the
// datasources Ec2 and Hetzner).
func (r *reader) unwrap(raw []byte) ([]byte, error) {
	if len(raw) > MaxSize {
		return nil, errTooLarge
	}
	if kindOfAll(raw) == kindPlain {
		bare := budget{left: r.left}
		if text, err := bare.unbase64(raw); err == nil && (isGzip(text) || kindOf(text) != "" || isMessage(text)) {
			r.left, raw = bare.left, text
		}
	}
	if isGzip(raw) {
		return r.gunzip(raw)
	}
	return raw, nil
}

// blob reads user data, or what was included: a message or a single part.
func (r *reader) blob(ctx context.Context, p *piece, text []byte) {
	if r.levels++; r.levels > maxLevels {
		r.wrong(p, errors.New("user data is nested too deeply"))
		return
	}
	defer func() { r.levels-- }()
	p.text = text
	if !isMessage(text) {
		p.kind = kindNone
		r.leaf(ctx, p)
		return
	}
	p.kind = kindMultipart
	message, ok := parseMessage(text)
	if !ok {
		r.wrong(p, fmt.Errorf("more than %d parts, or nested too deeply", maxParts))
		return
	}
	r.walk(ctx, p, message)
}

// walk goes through the parts of a message.
func (r *reader) walk(ctx context.Context, p *piece, e *entity) {
	switch {
	case len(e.parts) > 0:
		for _, part := range e.parts {
			r.walk(ctx, p, part)
		}
	case strings.HasPrefix(e.kind, "multipart/"):
		r.warn("%s: a multipart message has no parts: its boundary is missing, or not the one that it names", p.at.File)
	default:
		r.entity(ctx, p, e)
	}
}

// entity reads a part of the message that stands in p.
func (r *reader) entity(ctx context.Context, p *piece, e *entity) {
	part := &piece{name: e.header.fileName(), kind: e.kind, header: e.header}
	place := r.place(&part.name)
	part.at = document.Origin{File: p.at.File, Line: p.at.Line + e.line - 1}
	if p.at.Line == 0 {
		part.at.Line = e.line
	}
	text, plain, err := r.decode(e.body, e.header.get("Content-Transfer-Encoding"))
	if err != nil {
		part.text = e.body
		r.wrong(part, err)
		return
	}
	part.text = text
	if !plain {
		part.at = document.Origin{File: place}
	}
	r.leaf(ctx, part)
}

// place completes the name of a part, and returns how its lines are named when
// they are not lines of the user data itself.
func (r *reader) place(name *string) string {
	n := fmt.Sprintf("part %d", len(r.section.Parts)+1)
	place := r.section.File + " " + n
	if *name == "" {
		*name = n
		return place
	}
	return place + " (" + *name + ")"
}

// leaf reads a part that has no parts, as cloud-init's UserDataProcessor does.
func (r *reader) leaf(ctx context.Context, p *piece) {
	if ctx.Err() != nil {
		r.wrong(p, context.Cause(ctx))
		return
	}
	if isGzipType(p.kind) {
		if err := r.unpackPart(p); err != nil {
			r.wrong(p, err)
			return
		}
	}
	if p.kind == kindPlain || p.kind == kindNone || p.kind == kindScript {
		if kind := kindOf(p.text); kind != "" {
			p.kind = kind
		}
	}
	switch p.kind {
	case kindInclude, kindIncludeOnce:
		r.include(ctx, p)
	case kindArchive:
		r.archive(p)
	default:
		r.handle(p)
	}
}

// unpackPart unpacks a part of a gzip type. Of its header cloud-init keeps
// nothing that matters.
func (r *reader) unpackPart(p *piece) error {
	text, err := r.gunzip(p.text)
	if err != nil {
		return err
	}
	name := p.name
	if name == fmt.Sprintf("part %d", len(r.section.Parts)+1) {
		name = ""
	}
	p.at = document.Origin{File: r.place(&name)}
	p.text, p.kind, p.header = text, kindPlain, nil
	return nil
}

// handle does with a part what cloud-init's handlers do.
func (r *reader) handle(p *piece) {
	if len(r.section.Parts) >= maxParts {
		if !r.tooMany {
			r.problem(&p.at, 1, fmt.Sprintf("more than %d parts", maxParts))
		}
		r.tooMany = true
		return
	}
	if p.header.get("Launch-Index") != "" {
		r.hasLaunch = true
	}
	switch p.kind {
	case kindCloudConfig:
		r.cloudConfig(p)
	case kindPatch:
		r.patch(p)
	case kindJinja:
		r.template(p)
	case kindDockhost:
		r.own(p)
	default:
		r.skip(p)
	}
}

// skip passes over a part that is not looked into. Text that was meant to be
// cloud-config is an error: left alone, the host would run nothing and nobody
// would know why.
func (r *reader) skip(p *piece) {
	if p.kind == kindNone {
		p.kind = kindOfAll(p.text)
	}
	const key = "dockhost:"
	meant := bytes.HasPrefix(p.text, []byte(key)) || bytes.Contains(p.text, []byte("\n"+key))
	switch why := whose(p.kind); {
	case len(bytes.TrimSpace(p.text)) == 0:
		r.note(p, Skipped, "empty")
	case meant && p.kind == kindPlain:
		r.wrong(p, errors.New("the first line is not #cloud-config, so this is not read: add that line"))
	case meant && why == whose(""):
		r.note(p, Skipped, why)
		r.warn("%s: %s has a line %q, but not the type %s or %s: it is not read", p.at.File, p.name, key, kindCloudConfig, kindDockhost)
	default:
		r.note(p, Skipped, why)
	}
}

// key returns a key of what was merged, and its value.
func (r *reader) key(name string) (key, value *yaml.Node) {
	if r.merged == nil || r.merged.Kind != yaml.MappingNode {
		return nil, nil
	}
	return document.LookUp(r.merged, name)
}

// advise warns of what is there and does nothing.
func (r *reader) advise() {
	if r.hasLaunch || r.hasKey("launch-index") {
		r.warn("launch-index is not heeded: each part counts on each instance")
	}
	_, coreos := r.key("coreos")
	if coreos == nil || coreos.Kind != yaml.MappingNode {
		return
	}
	var names []string
	_, units := document.LookUp(coreos, "units")
	for i := 0; units != nil && i < len(units.Content); i++ {
		unit := deref(units.Content[i])
		if unit.Kind != yaml.MappingNode {
			continue
		}
		if _, name := document.LookUp(unit, "name"); name != nil && len(names) < 50 {
			names = append(names, shown(name.Value))
		}
	}
	if len(names) > 0 {
		r.warn("coreos.units is coreos-cloudinit's and does nothing here (%s): write the units into "+
			"/etc/systemd/system with write_files, and start them with runcmd", strings.Join(names, ", "))
	}
}

func (r *reader) hasKey(name string) bool {
	key, _ := r.key(name)
	return key != nil
}
