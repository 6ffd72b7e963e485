package preview

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/dockhost/dockhost/agent/dropin"
	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
	"github.com/dockhost/dockhost/systemd/units"
)

// RenderOptions choose what to show.
type RenderOptions struct {
	Assignment assignment.Options
	// Names are the containers to show; empty means all.
	Names []string
	// SystemdVersion is the host's version of systemd.
	SystemdVersion int
	// ShowEnv shows environment variables and other masked values. Logins are
	// never shown.
	ShowEnv bool
}

// Rendering is the output of `dockhostctl render --json`.
type Rendering struct {
	Containers []Rendered `json:"containers"`
	// Networks and Volumes are those that the containers use, apart from the volumes
	// in their requests.
	Networks []Supply `json:"networks"`
	Volumes  []Supply `json:"volumes"`
	// Registries are the registry hosts that have a login.
	Registries []string `json:"registries"`
	// Housekeeping has the settings in the user data by key, or is "off". The
	// host's dockhost.yaml may have more.
	Housekeeping any `json:"housekeeping,omitempty"`
}

// Rendered is one container.
type Rendered struct {
	Name  string `json:"name"`
	Image string `json:"image"`
	// PullPolicy is "missing", "always" or "never".
	PullPolicy string `json:"pull_policy"`
	// Update has the container's own settings of updates, by key. The host's
	// dockhost.yaml may have more.
	Update map[string]any `json:"update,omitempty"`
	Unit   string         `json:"unit"`
	// Files are the unit's files, in the order in which systemd reads them.
	Files []UnitFile `json:"files"`
	// EnvFiles are files that the host reads at each start. Their variables come
	// before those in Create.
	EnvFiles []string `json:"env_files"`
	// Create is the request that creates the container.
	Create Create `json:"create"`
}

// UnitFile is a file of a unit.
type UnitFile struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// Create is a request to Docker's API.
type Create struct {
	// Path is the request's path and query, without the API version.
	Path string `json:"path"`
	// Body leaves out fields that have their default value.
	Body map[string]any `json:"body"`
}

// Render returns what a host would run, and the findings about the input. The
// rendering is nil when a finding is an error. The error is about o.Names.
func Render(ctx context.Context, in *Input, o RenderOptions) (*Rendering, []Finding, error) {
	result, problems := in.parse(ctx, o.Assignment)
	if result == nil {
		return nil, problems, nil
	}
	r := &Rendering{Containers: []Rendered{}, Networks: []Supply{}, Volumes: []Supply{}, Registries: []string{}}
	if err := checkNames(o.Names, result.Assignment); err != nil {
		return nil, problems, err
	}
	for _, c := range result.Assignment.Containers {
		if len(o.Names) > 0 && !slices.Contains(o.Names, c.Name) {
			continue
		}
		rendered, err := o.render(&c)
		if err != nil {
			return nil, problems, fmt.Errorf("render %s: %w", c.Name, err)
		}
		r.Containers = append(r.Containers, rendered)
		if err := r.addSupplies(&c, o.ShowEnv); err != nil {
			return nil, problems, err
		}
	}
	for host := range result.Assignment.Registries {
		r.Registries = append(r.Registries, host)
	}
	slices.Sort(r.Registries)
	r.Housekeeping = settings(result.Assignment.Housekeeping)
	return r, problems, nil
}

// checkNames refuses names that no container has.
func checkNames(names []string, assignment *spec.Assignment) error {
	var known []string
	for _, c := range assignment.Containers {
		known = append(known, c.Name)
	}
	for _, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		if near := document.Nearest(name, known); near != "" {
			return fmt.Errorf("no container %q in the user data (did you mean %q?)", name, near)
		}
		return fmt.Errorf("no container %q in the user data (it has: %s)", name, strings.Join(known, ", "))
	}
	return nil
}

func (o RenderOptions) render(c *spec.Container) (Rendered, error) {
	hash := c.Hash()
	if !o.ShowEnv {
		c, hash = mask(c), masked // the hash would confirm a guess of a short secret
	}
	unit := spec.UnitName(c.Name)
	host := request.Host{Unit: unit, Supervisor: "PID/START/BOOT", ConfigHash: hash, AnonymousVolumes: c.AnonymousVolumes(nil)}
	if c.Notify == spec.NotifyContainer {
		host.NotifySocket = placement.Dir + "/" + request.SocketPrefix + "PID"
		host.Watchdog = watchdog(c.Unit)
	}
	if len(c.Files) > 0 {
		host.FilesDir = rundir.Dir(rundir.Path).FilesDir(c.Name)
	}
	create := request.Make(c, host)
	body, err := body(create)
	if err != nil {
		return Rendered{}, err
	}
	files, err := unitFiles(c, o.SystemdVersion)
	if err != nil {
		return Rendered{}, err
	}
	rendered := Rendered{
		Name: c.Name, Image: c.Image, PullPolicy: string(c.PullPolicy), Update: updates(c.Update), Unit: unit, EnvFiles: []string{},
		Files:  files,
		Create: Create{Path: createPath(create), Body: body},
	}
	for _, m := range c.Mounts {
		files, err := dropin.Mount(m)
		if err != nil {
			return Rendered{}, err
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			rendered.Files = append(rendered.Files, UnitFile{Path: dropin.UnitDir + name, Text: files[name]})
		}
	}
	for _, file := range c.EnvFiles {
		rendered.EnvFiles = append(rendered.EnvFiles, file.Path)
	}
	return rendered, nil
}

// unitFiles returns the files of a container's unit, in the order in which systemd reads
// them.
func unitFiles(c *spec.Container, systemdVersion int) ([]UnitFile, error) {
	text, err := dropin.Render(c, systemdVersion)
	if err != nil {
		return nil, err
	}
	files := []UnitFile{{Path: units.ContainerPath, Text: units.Container}}
	if template := dropin.Template(systemdVersion); template != nil {
		files = append(files, UnitFile{Path: dropin.TemplatePath, Text: string(template)})
	}
	return append(files, UnitFile{Path: dropin.Path(c.Name), Text: string(text)}), nil
}

func createPath(create engine.CreateRequest) string {
	query := url.Values{"name": {create.Name}}
	if create.Platform != "" {
		query.Set("platform", create.Platform)
	}
	return "/containers/create?" + query.Encode()
}

// body returns the body of the request, without fields that have Go's zero
// value: Docker treats these like absent fields.
func body(create engine.CreateRequest) (map[string]any, error) {
	fields, err := changed(create.Config, container.Config{})
	if err != nil {
		return nil, err
	}
	if fields["HostConfig"], err = changed(create.HostConfig, container.HostConfig{}); err != nil {
		return nil, err
	}
	if create.Networking != nil {
		fields["NetworkingConfig"], err = changed(create.Networking, network.NetworkingConfig{})
	}
	return fields, err
}

// changed returns the JSON fields in which a value differs from the zero value.
func changed(value, zero any) (map[string]any, error) {
	all, err := fieldsOf(value)
	if err != nil {
		return nil, err
	}
	defaults, err := fieldsOf(zero)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	for name, raw := range all {
		if !bytes.Equal(raw, defaults[name]) {
			fields[name] = raw
		}
	}
	return fields, nil
}

// fieldsOf returns the JSON of each field.
func fieldsOf(value any) (map[string]json.RawMessage, error) {
	var text bytes.Buffer
	if err := printJSON(&text, value); err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	return fields, json.Unmarshal(text.Bytes(), &fields)
}

// Print writes each unit as `systemctl cat` does, followed by the request.
func (r *Rendering) Print(out io.Writer) error {
	var text strings.Builder
	if len(r.Registries) > 0 {
		fmt.Fprintf(&text, "# logins for %s\n\n", strings.Join(r.Registries, ", "))
	}
	if r.Housekeeping != nil {
		settings, err := json.Marshal(r.Housekeeping)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "# housekeeping: %s\n\n", settings)
	}
	for _, n := range r.Networks {
		if err := n.print(&text, "network"); err != nil {
			return err
		}
	}
	for _, v := range r.Volumes {
		if err := v.print(&text, "volume"); err != nil {
			return err
		}
	}
	for i, c := range r.Containers {
		if i > 0 {
			text.WriteString("\n")
		}
		if err := c.print(&text); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func (c Rendered) print(text *strings.Builder) error {
	for _, file := range c.Files {
		fmt.Fprintf(text, "# %s\n%s\n", file.Path, file.Text)
	}
	fmt.Fprintf(text, "# %s runs %s (pull policy: %s)\n", c.Unit, c.Image, c.PullPolicy)
	if c.Update != nil {
		settings, err := json.Marshal(c.Update)
		if err != nil {
			return err
		}
		fmt.Fprintf(text, "# updates: %s\n", settings)
	}
	for _, file := range c.EnvFiles {
		fmt.Fprintf(text, "# the variables in %s come before those in Env\n", file)
	}
	fmt.Fprintf(text, "# POST %s\n", c.Create.Path)
	return printJSON(text, c.Create.Body)
}

// PrintJSON writes the rendering as JSON.
func (r *Rendering) PrintJSON(out io.Writer) error { return printJSON(out, r) }
