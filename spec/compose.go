package spec

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// service is a Compose service as compose-go reads it.
type service = types.ServiceConfig

// loadAll has compose-go read each service. All of them are read at once: only
// when one is refused is each read alone, to find what is wrong with it.
func loadAll(declared []*declaration) {
	all := make(map[string]any, len(declared))
	for _, d := range declared {
		all[d.name] = d.plain(d.at)
	}
	loaded, err := load(all)
	for _, d := range declared {
		if err != nil {
			d.loadAlone()
			continue
		}
		d.service = loaded[d.name]
	}
}

// loadAlone reads one service. The keys that compose-go refuses are noted and
// left out, so that the rest can be checked as well.
func (d *declaration) loadAlone() {
	if d.try(d.plain(d.at)) {
		return
	}
	refused := map[string]bool{}
	for name, value := range d.at.fields() {
		refusals := d.refusals(value, func(v any) map[string]any {
			return map[string]any{"image": "x", name: v}
		})
		for _, refusal := range refusals {
			d.errorf(refusal.at, "%s", refusal.sentence(name))
			refused[name] = true
		}
	}
	rest := d.at.without(func(name string) bool { return refused[name] })
	if !d.try(d.plain(rest)) && len(refused) == 0 {
		d.errorf(d.at, "Compose refuses this service, though each of its keys alone is right")
	}
	d.at = rest
}

// try reads one service and reports whether compose-go takes it.
func (d *declaration) try(value map[string]any) bool {
	loaded, err := load(map[string]any{d.name: value})
	if err == nil {
		d.service = loaded[d.name]
	}
	return err == nil
}

// plain returns a service as compose-go takes it.
func (d *declaration) plain(at spot) map[string]any {
	value, _ := plain(at.node, true).(map[string]any)
	return value
}

// errPanicked stands for a panic in compose-go, which does not check all of
// its type assertions.
var errPanicked = errors.New("not in a form that Compose knows")

// load has compose-go read services, without any file, variable or network of
// the host and without what only a project has. It changes its argument.
func load(services map[string]any) (loaded types.Services, err error) {
	defer func() {
		if recover() != nil {
			loaded, err = nil, errPanicked
		}
	}()
	if len(services) == 0 {
		return nil, nil
	}
	details := types.ConfigDetails{
		WorkingDir:  "/",
		ConfigFiles: []types.ConfigFile{{Filename: "-", Config: map[string]any{"services": services}}},
		Environment: types.Mapping{},
	}
	project, err := loader.LoadWithContext(context.Background(), details, func(o *loader.Options) {
		o.SetProjectName("dockhost", true)
		o.ResolvePaths = false
		o.SkipNormalization, o.SkipConsistencyCheck = true, true
		o.SkipInclude, o.SkipExtends = true, true
		o.SkipResolveEnvironment, o.SkipResolveLabels = true, true
	})
	if err != nil {
		return nil, err
	}
	return project.Services, nil
}

// refusal is a part of a service that compose-go does not take.
type refusal struct {
	at  spot
	err error
}

// refusals returns the smallest parts of a value that compose-go does not
// take. wrap puts a value into an otherwise good service.
func (d *declaration) refusals(at spot, wrap func(any) map[string]any) []refusal {
	_, err := load(map[string]any{d.name: wrap(plain(at.node, true))})
	if err == nil {
		return nil
	}
	var parts []refusal
	for _, item := range at.items() {
		_, err := load(map[string]any{d.name: wrap([]any{plain(item.node, true)})})
		if err != nil {
			parts = append(parts, refusal{item, err})
		}
	}
	if divisible(at.path[len(d.at.path):]) {
		for name, value := range at.fields() {
			parts = append(parts, d.refusals(value, func(v any) map[string]any {
				return wrap(map[string]any{name: v})
			})...)
		}
	}
	if len(parts) == 0 {
		return []refusal{{at, err}}
	}
	return parts
}

// divisible reports whether the entries of a mapping make sense one by one.
func divisible(path string) bool {
	switch strings.TrimPrefix(path, ".") {
	case "annotations", "depends_on", "deploy", "deploy.resources", "deploy.resources.limits", "deploy.resources.reservations",
		"environment", "extra_hosts", "healthcheck", "labels", "logging", "logging.options", "sysctls", "ulimits":
		return true
	}
	return false
}

// sentence says what is wrong in a key. compose-go's own words may repeat the
// value, and are used only for keys that hold no secrets.
func (f refusal) sentence(key string) string {
	switch key {
	case "ports":
		return portSentence(f.at)
	case "environment":
		return "not an environment variable: write NAME: VALUE, or a list of NAME=VALUE"
	case "labels", "annotations", "sysctls":
		return "not in a form that Compose knows: write NAME: VALUE, or a list of NAME=VALUE"
	case "command", "entrypoint":
		return "not a command: write a string or a list of strings"
	case "healthcheck", "logging":
		if strings.HasSuffix(f.at.path, "test") || strings.Contains(f.at.path, "options") {
			return "not in a form that Compose knows: write strings"
		}
	}
	return foreign(f.err)
}

// foreign returns compose-go's sentence without its own path of the value.
func foreign(err error) string {
	sentence := strings.Join(strings.Fields(err.Error()), " ")
	if _, after, found := strings.Cut(sentence, "validating -: "); found {
		sentence = after
	}
	if i := strings.LastIndex(sentence, "': "); i >= 0 && strings.Contains(sentence, "decoding '") {
		sentence = sentence[i+len("': "):]
	}
	if first, rest, found := strings.Cut(sentence, " "); found && strings.HasPrefix(first, "services.") {
		sentence = rest
	}
	return fmt.Sprintf("Compose refuses this value: %s", shorten(sentence))
}
