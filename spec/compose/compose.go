package compose

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"
)

// service is a Compose service as compose-go reads it.
type service = types.ServiceConfig

// alone is the name that compose-go sees when a service is loaded alone. The
// real name might be one that compose-go refuses, and messages do not need it.
const alone = "service"

// loadAll loads the services with compose-go: at once, or in parts to find those
// that compose-go refuses. Their problems are reported.
func loadAll(declared []*declaration) {
	refused := bisect(len(declared), maxRefusals, func(first, last int) bool { return loadTogether(declared[first:last]) })
	for _, i := range refused {
		declared[i].loadAlone()
	}
}

// loadTogether loads services at once, and reports whether compose-go accepts them.
func loadTogether(declared []*declaration) bool {
	all := make(map[string]any, len(declared))
	for i, d := range declared {
		all[alone+strconv.Itoa(i)] = d.plain(d.loadable())
	}
	loaded, err := load(all)
	if err != nil {
		return false
	}
	for i, d := range declared {
		d.service = loaded[alone+strconv.Itoa(i)]
	}
	return true
}

// loadAlone loads one service. It reports the parts that compose-go refuses, and
// leaves them out so that the rest can be checked too.
func (d *declaration) loadAlone() {
	if d.try(d.loadable()) {
		return
	}
	var wrong []spot
	for name, value := range d.at.Fields() {
		refusals := d.refusals(value, func(v any) map[string]any {
			return map[string]any{"image": "x", name: v}
		})
		for _, refusal := range refusals {
			d.Errorf(refusal.at, "%s", refusal.sentence(name))
			d.refused[refusal.at.Node] = true
			wrong = append(wrong, value)
		}
	}
	if len(wrong) == 0 {
		d.Errorf(d.at, "Compose refuses this service, but accepts each of its keys alone")
	}
	if !d.try(spot{Node: d.prune(d.at.Node, true)}) { // leave out the whole keys
		for _, value := range wrong {
			d.refused[value.Node] = true
		}
		d.try(spot{Node: d.prune(d.at.Node, true)})
	}
	d.noImage = d.noImage || d.refused[d.field("image").Node] && d.field("image").Present()
	d.at.Node = d.prune(d.at.Node, false)
}

// forgetUnfilled leaves out the values with a variable that has no value. at is the
// service with all its keys, which may explain why it has no image.
func (d *declaration) forgetUnfilled(at spot) {
	d.refused = d.unfilled
	check := d.field("healthcheck")
	for _, word := range check.Field("test").Items() {
		if d.refused[word.Node] { // the rest is no command
			d.refused[check.Node] = true
		}
	}
	image := d.field("image")
	d.noImage = image.Present() && d.refused[image.Node]
	if !image.Present() {
		d.noImage = d.sources.notExtended[at.Node]
		for name := range at.Fields() {
			explains := name == "extends" || name == "build" || name == "provider" || document.Nearest(name, []string{"image"}) != ""
			d.noImage = d.noImage || explains
		}
	}
	if len(d.refused) > 0 {
		d.at.Node = d.prune(d.at.Node, false)
	}
}

// loadable returns the service without what was refused.
func (d *declaration) loadable() spot {
	if len(d.refused) == 0 {
		return d.at
	}
	return spot{Node: d.prune(d.at.Node, true)}
}

// prune returns a tree without the parts that compose-go refused. With items it
// removes refused items of lists too; otherwise items keep their indexes.
func (d *declaration) prune(n *yaml.Node, items bool) *yaml.Node {
	pruned := *n
	if n.Kind == yaml.SequenceNode && items {
		pruned.Content = slices.DeleteFunc(slices.Clone(n.Content), func(item *yaml.Node) bool { return d.refused[item] })
	}
	if n.Kind == yaml.MappingNode {
		pruned.Content = nil
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !d.refused[n.Content[i+1]] {
				pruned.Content = append(pruned.Content, n.Content[i], d.prune(n.Content[i+1], items))
			}
		}
	}
	return &pruned
}

// try loads one service and reports whether compose-go accepts it.
func (d *declaration) try(at spot) bool {
	loaded, err := load(map[string]any{alone: d.plain(at)})
	if err == nil {
		d.service = loaded[alone]
	}
	return err == nil
}

// plain returns a service in the form that compose-go reads.
func (d *declaration) plain(at spot) map[string]any {
	value, _ := plain(at.Node, true).(map[string]any)
	return value
}

// errPanicked is the error for a panic in compose-go, which does not check all
// type assertions.
var errPanicked = errors.New("a form that Compose does not know")

// load loads services with compose-go, without files, variables or networks of
// the host, and without the parts of a project. It changes its argument.
func load(services map[string]any) (types.Services, error) {
	if len(services) == 0 {
		return nil, nil
	}
	loaded, err := loadProject(map[string]any{"services": services})
	if err != nil {
		return nil, err
	}
	return loaded.Services, nil
}

// loadProject is load for any sections of a Compose file.
func loadProject(sections map[string]any) (loaded *types.Project, err error) {
	defer func() {
		if recover() != nil {
			loaded, err = nil, errPanicked
		}
	}()
	details := types.ConfigDetails{
		WorkingDir:  "/",
		ConfigFiles: []types.ConfigFile{{Filename: "-", Config: sections}},
		Environment: types.Mapping{},
	}
	return loader.LoadWithContext(context.Background(), details, func(o *loader.Options) {
		o.SetProjectName("dockhost", true)
		o.ResolvePaths = false
		o.Profiles = []string{"*"} // otherwise services with profiles are missing
		o.SkipNormalization, o.SkipConsistencyCheck = true, true
		o.SkipInclude, o.SkipExtends = true, true
		o.SkipResolveEnvironment, o.SkipResolveLabels = true, true
	})
}

// refusal is a part of a service that compose-go refuses.
type refusal struct {
	at  spot
	err error
}

// refusals returns the smallest parts of a value that compose-go refuses. wrap
// puts a value into an otherwise valid service.
func (d *declaration) refusals(at spot, wrap func(any) map[string]any) []refusal {
	_, err := load(map[string]any{alone: wrap(plain(d.prune(at.Node, true), true))})
	if err == nil {
		return nil
	}
	parts := d.refusedItems(at, wrap)
	if divisible(at.Path[len(d.at.Path):]) {
		parts = append(parts, d.refusedFields(at, wrap)...)
	}
	if len(parts) == 0 {
		return []refusal{{at, err}}
	}
	return parts
}

// refusedItems returns the items of a list that compose-go refuses. It returns
// nothing if compose-go accepts no list here.
func (d *declaration) refusedItems(at spot, wrap func(any) map[string]any) []refusal {
	if _, err := load(map[string]any{alone: wrap([]any{})}); err != nil {
		return nil
	}
	var items []spot
	for _, item := range at.Items() {
		if !d.refused[item.Node] {
			items = append(items, item)
		}
	}
	accepts := func(items []spot) error {
		list := make([]any, len(items))
		for i, item := range items {
			list[i] = plain(d.prune(item.Node, true), true)
		}
		_, err := load(map[string]any{alone: wrap(list)})
		return err
	}
	var parts []refusal
	for _, i := range bisect(len(items), maxRefusals, func(first, last int) bool { return accepts(items[first:last]) == nil }) {
		parts = append(parts, refusal{items[i], accepts(items[i : i+1])})
	}
	return parts
}

// refusedFields returns the parts of a mapping that compose-go refuses.
func (d *declaration) refusedFields(at spot, wrap func(any) map[string]any) []refusal {
	var names []string
	var values []spot
	for name, value := range at.Fields() {
		if !d.refused[value.Node] {
			names, values = append(names, name), append(values, value)
		}
	}
	accepts := func(first, last int) bool {
		mapping := make(map[string]any, last-first)
		for i := first; i < last; i++ {
			mapping[names[i]] = plain(d.prune(values[i].Node, true), true)
		}
		_, err := load(map[string]any{alone: wrap(mapping)})
		return err == nil
	}
	var parts []refusal
	for _, i := range bisect(len(names), maxRefusals, accepts) {
		parts = append(parts, d.refusals(values[i], func(v any) map[string]any {
			return wrap(map[string]any{names[i]: v})
		})...)
	}
	return parts
}

// divisible reports whether the entries of a mapping are valid one by one.
func divisible(path string) bool {
	switch strings.TrimPrefix(path, ".") {
	case "annotations", "depends_on", "deploy", "deploy.restart_policy", "deploy.resources", "deploy.resources.limits", "deploy.resources.reservations",
		"deploy.rollback_config", "deploy.update_config",
		"environment", "extra_hosts", "healthcheck", "labels", "logging", "logging.options", "sysctls", "ulimits":
		return true
	}
	return false
}

// sentence describes the problem with a key. compose-go's own message may quote
// the value, so it is used only for keys that hold no secrets.
func (f refusal) sentence(key string) string {
	switch key {
	case "ports":
		return portSentence(f.at)
	case "environment":
		return "not an environment variable: write NAME: VALUE, or a list of NAME=VALUE"
	case "labels", "annotations", "sysctls":
		return "Compose does not know this form: write NAME: VALUE, or a list of NAME=VALUE"
	case "command", "entrypoint":
		return "not a command: write a string or a list of strings"
	case "image":
		return "no image: write an image reference"
	case "networks":
		return "not networks: write a list of names, or NAME: with aliases:, ipv4_address: and the like below it"
	case "pull_policy":
		return "unknown policy: use missing, always, never, daily, weekly or every_TIME such as every_12h"
	case "oom_score_adj":
		return "not a score: write a number from -1000 to 1000"
	case "ulimits":
		return "not a limit: write a number, or soft: and hard: with numbers"
	case "volumes":
		if f.at.IsMapping() && !f.at.Field("type").Present() {
			return "no type: use bind, volume or tmpfs"
		}
	case "gpus":
		if f.at.IsScalar() {
			return "not GPUs: write all, or a list of requests"
		}
	case "deploy":
		if strings.HasSuffix(f.at.Path, "_config.order") {
			return "unknown order: use stop-first or start-first"
		}
	case "healthcheck", "logging":
		if strings.Contains(f.at.Path, "test") || strings.Contains(f.at.Path, "options") {
			return "Compose does not know this form: write strings"
		}
	}
	return foreign(f.err)
}

// ownPath is the path of the value in compose-go's errors. The problem's place is
// more precise.
var ownPath = regexp.MustCompile(`validating -: |(service \w+ )?services\.\S+:? |decoding failed due to the following error\(s\): |'services\[\S+ `)

// foreign returns compose-go's message without its own path of the value.
func foreign(err error) string {
	sentence := ownPath.ReplaceAllString(strings.Join(strings.Fields(err.Error()), " "), "")
	switch {
	case strings.Contains(sentence, "invalid boolean"):
		sentence = "it is neither true nor false"
	case strings.Contains(sentence, "failed to cast"), strings.Contains(sentence, "strconv."), strings.Contains(sentence, "json: "):
		sentence = "it is not a number"
	}
	sentence = strings.NewReplacer("is missing a mount target", "it has no target", "must be a array", "must be a list", "must be a integer", "must be an integer").Replace(sentence)
	return "cannot use this value: " + document.Shorten(sentence)
}
