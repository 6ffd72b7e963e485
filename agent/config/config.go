// Package config reads /etc/dockhost/dockhost.yaml, the settings of the agent.
// Without the file it returns the defaults.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/housekeeping"
	"github.com/dockhost/dockhost/spec/update"
)

// Path is the path of the file.
const Path = "/etc/dockhost/dockhost.yaml"

const (
	// defaultPoll is the poll interval for a metadata service that does not report
	// changes.
	defaultPoll = 10 * time.Minute
	// minPoll prevents that a fleet overloads its metadata service.
	minPoll = 10 * time.Second
)

// Config is the content of the file.
type Config struct {
	// Datasources are the datasources to use, in their order, by cloud-init's names.
	// Without any, the agent detects the datasource.
	Datasources []string
	// IMDSv1 allows requests to EC2's metadata service without a token, if the service
	// issues none.
	IMDSv1 bool
	// Poll is how often user data is fetched again if its datasource does not report
	// changes; 0 is never.
	Poll time.Duration
	// Include allows user data to include other user data by its address (#include).
	Include bool
	// Housekeeping has the settings of housekeeping; nil without any.
	Housekeeping *spec.Housekeeping
	// Update has the settings of updates, for containers that do not have their own;
	// nil without any.
	Update *spec.Update
	// Ulimits are limits of assigned containers that do not set them, sorted by name.
	Ulimits []*container.Ulimit
	// Webhook is where the outcome of each update is reported; nil without one.
	Webhook *Webhook
	// Listen are the interfaces for load balancers and Prometheus.
	Listen Listen
}

// Equal reports whether two configurations are the same.
func (c Config) Equal(d Config) bool {
	return slices.Equal(c.Datasources, d.Datasources) && c.IMDSv1 == d.IMDSv1 && c.Poll == d.Poll && c.Include == d.Include &&
		reflect.DeepEqual(c.Housekeeping, d.Housekeeping) && reflect.DeepEqual(c.Update, d.Update) && reflect.DeepEqual(c.Webhook, d.Webhook) && reflect.DeepEqual(c.Ulimits, d.Ulimits) && c.Listen == d.Listen
}

// Read reads the file below a root, "" on a real host. known are the names of the
// datasources. The error has every mistake in the file.
func Read(root string, known []string) (Config, error) {
	text, err := regular.Follow(filepath.Join(root, Path), regular.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{Poll: defaultPoll}, nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(Path, text, known)
}

// Parse reads the text of the file. Messages name it by file.
func Parse(file string, text []byte, known []string) (Config, error) {
	c := Config{Poll: defaultPoll}
	node, err := document.Parse(file, text)
	if err != nil || node == nil || document.IsNull(node) {
		return c, err
	}
	r := reader{document.NewReport(document.File(file), nil)}
	top := document.Spot{Node: node}
	if top.Node = r.Resolve(top); top.Node == nil {
		return c, r.Err()
	}
	if !top.IsMapping() {
		r.Errorf(top, "not a mapping: write lines of KEY: VALUE")
		return c, r.Err()
	}
	top = r.Check(top, document.Only("housekeeping", "update").With("datasource", document.Only("names", "imdsv1", "poll")).With("user_data", document.Only("include")).
		With("ulimits", document.MapOf(document.Only("soft", "hard"))).With("health", document.Only("listen")).With("metrics", document.Only("listen", "textfile")))
	r.datasource(&c, top.Field("datasource"), known)
	if userData := top.Field("user_data"); r.mapping(userData, "include: true") {
		c.Include = r.boolean(userData.Field("include"))
	}
	c.Housekeeping = housekeeping.Parse(r.Report, top.Field("housekeeping"))
	c.Update = update.ParseHost(r.Report, top.Field("update"))
	c.Ulimits = r.ulimits(top.Field("ulimits"))
	c.Listen = r.listen(top)
	c.Webhook = r.webhook(top.Field("update").Field("webhook"))
	return c, r.Err()
}

// reader collects the mistakes that it finds.
type reader struct {
	*document.Report
}

// datasource reads the names alone, or a mapping with more settings.
func (r reader) datasource(c *Config, at document.Spot, known []string) {
	if at.IsScalar() && !at.IsNull() || at.IsList() {
		c.Datasources = r.names(at, known)
		return
	}
	if !r.mapping(at, "names: [Ec2]") {
		return
	}
	c.Datasources = r.names(at.Field("names"), known)
	c.IMDSv1 = r.boolean(at.Field("imdsv1"))
	r.poll(c, at.Field("poll"))
}

// names reads one name or a list of them.
func (r reader) names(at document.Spot, known []string) []string {
	if !at.Present() || at.IsNull() {
		return nil
	}
	spots := []document.Spot{at}
	if at.IsList() {
		spots = nil
		for _, item := range at.Items() {
			spots = append(spots, item)
		}
	}
	var names []string
	for _, item := range spots {
		name := item.Text()
		switch {
		case name == "":
			r.Errorf(item, "not a datasource: write its name, such as Ec2 or [NoCloud, GCE]")
		case !slices.Contains(known, name):
			r.Errorf(item, "unknown datasource %q%s", document.Shorten(name), hint(name, known))
		default:
			names = append(names, name)
		}
	}
	return names
}

func hint(name string, known []string) string {
	for _, one := range known { // cloud-init distinguishes upper and lower case
		if strings.EqualFold(one, name) {
			return fmt.Sprintf(" (did you mean %q?)", one)
		}
	}
	if near := document.Nearest(name, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return " (known are: " + strings.Join(known, ", ") + ")"
}

func (r reader) poll(c *Config, at document.Spot) {
	switch text := at.Text(); {
	case !at.Present() || at.IsNull():
	case text == "off" || text == "false":
		c.Poll = 0
	default:
		every, err := time.ParseDuration(text)
		if err != nil || every < minPoll {
			r.Errorf(at, "not an interval: write 10m or the like, %s at least, or off", minPoll)
		}
		c.Poll = every
	}
}

func (r reader) mapping(at document.Spot, example string) bool {
	if at.Present() && !at.IsNull() && !at.IsMapping() {
		r.Errorf(at, "not a mapping: write %s below it, indented", example)
	}
	return at.IsMapping()
}

func (r reader) boolean(at document.Spot) bool {
	switch at.Text() {
	case "true":
		return true
	case "false":
	default:
		if at.Present() && !at.IsNull() {
			r.Errorf(at, "neither true nor false")
		}
	}
	return false
}
