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
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
	"github.com/dockhost/dockhost/systemd/units"
)

// RenderOptions say what is shown.
type RenderOptions struct {
	Intake assignment.Options
	// Names are the containers to show; none is all of them.
	Names []string
	// SystemdVersion is that of the host.
	SystemdVersion int
	// ShowEnv shows the values of environment variables, and what else is
	// masked but for logins.
	ShowEnv bool
}

// Rendering is what would run, as `dockhostctl render --json` prints it.
type Rendering struct {
	Containers []Rendered `json:"containers"`
	// Registries are the hosts for which there are logins.
	Registries []string `json:"registries"`
	// Housekeeping is what the user data says about it, by key, or "off"; the host's
	// dockhost.yaml may say more.
	Housekeeping any `json:"housekeeping,omitempty"`
}

// Rendered is what would run of one container.
type Rendered struct {
	Name  string `json:"name"`
	Image string `json:"image"`
	// PullPolicy is when the image is pulled: "missing", "always", "never".
	PullPolicy string `json:"pull_policy"`
	Unit       string `json:"unit"`
	// Files are what systemd would make the unit of, in its order.
	Files []UnitFile `json:"files"`
	// EnvFiles are read on the host at each start. Their variables come before
	// those of the request.
	EnvFiles []string `json:"env_files"`
	// Create is what Docker would be asked for.
	Create Create `json:"create"`
}

// UnitFile is a file of a unit.
type UnitFile struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// Create is a request to Docker's API.
type Create struct {
	// Path is what the request is sent to, without the version of the API.
	Path string `json:"path"`
	// Body has no field that is as Docker's API has it by default.
	Body map[string]any `json:"body"`
}

// Render returns what of an input would run, and all that there is to say about
// it. Where something is wrong it returns nil.
func Render(ctx context.Context, in *Input, o RenderOptions) (*Rendering, []Finding, error) {
	result, found := in.take(ctx, o.Intake)
	if result == nil {
		return nil, found, nil
	}
	r := &Rendering{Containers: []Rendered{}, Registries: []string{}}
	if err := checkNames(o.Names, result.Assignment); err != nil {
		return nil, found, err
	}
	for _, c := range result.Assignment.Containers {
		if len(o.Names) > 0 && !slices.Contains(o.Names, c.Name) {
			continue
		}
		rendered, err := o.render(&c)
		if err != nil {
			return nil, found, fmt.Errorf("render %s: %w", c.Name, err)
		}
		r.Containers = append(r.Containers, rendered)
	}
	for host := range result.Assignment.Registries {
		r.Registries = append(r.Registries, host)
	}
	slices.Sort(r.Registries)
	r.Housekeeping = settings(result.Assignment.Housekeeping)
	return r, found, nil
}

// checkNames refuses the name of a container that there is not.
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
			return fmt.Errorf("no container %q is assigned (did you mean %q?)", name, near)
		}
		return fmt.Errorf("no container %q is assigned (there are: %s)", name, strings.Join(known, ", "))
	}
	return nil
}

func (o RenderOptions) render(c *spec.Container) (Rendered, error) {
	hash := c.Hash()
	if !o.ShowEnv {
		c, hash = mask(c), masked // which tells a guess of a short secret from the others
	}
	unit := spec.UnitName(c.Name)
	host := request.Host{Unit: unit, Supervisor: "PID/START/BOOT", ConfigHash: hash}
	if c.Notify == spec.NotifyContainer {
		host.NotifySocket = placement.Dir + "/" + request.SocketPrefix + "PID"
		host.Watchdog = watchdog(c.Unit)
	}
	made := request.Make(c, host)
	body, err := body(made)
	if err != nil {
		return Rendered{}, err
	}
	rendered := Rendered{
		Name: c.Name, Image: c.Image, PullPolicy: string(c.PullPolicy), Unit: unit, EnvFiles: []string{},
		Files: []UnitFile{
			{Path: units.ContainerPath, Text: units.Container},
			{Path: dropin.Path(c.Name), Text: string(dropin.Render(c, o.SystemdVersion))},
		},
		Create: Create{Path: createPath(made), Body: body},
	}
	for _, m := range c.Mounts {
		files := dropin.Mount(m)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			rendered.Files = append(rendered.Files, UnitFile{Path: dropin.UnitDir + name, Text: files[name]})
		}
	}
	for _, file := range c.EnvFiles {
		rendered.EnvFiles = append(rendered.EnvFiles, file.Path)
	}
	return rendered, nil
}

func createPath(made engine.CreateRequest) string {
	query := url.Values{"name": {made.Name}}
	if made.Platform != "" {
		query.Set("platform", made.Platform)
	}
	return "/containers/create?" + query.Encode()
}

// body returns the request as it is sent, without the fields that are as Go
// has them by default, which for Docker are as if they were not there.
func body(made engine.CreateRequest) (map[string]any, error) {
	fields, err := changed(made.Config, container.Config{})
	if err != nil {
		return nil, err
	}
	if fields["HostConfig"], err = changed(made.HostConfig, container.HostConfig{}); err != nil {
		return nil, err
	}
	if made.Networking != nil {
		fields["NetworkingConfig"], err = changed(made.Networking, network.NetworkingConfig{})
	}
	return fields, err
}

// changed returns the JSON fields in which a value differs from the zero one.
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

// Print writes units as `systemctl cat` does, and below each the request.
func (r *Rendering) Print(out io.Writer) error {
	var text strings.Builder
	if len(r.Registries) > 0 {
		fmt.Fprintf(&text, "# logins for %s\n\n", strings.Join(r.Registries, ", "))
	}
	if r.Housekeeping != nil {
		said, err := json.Marshal(r.Housekeeping)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "# housekeeping: %s\n\n", said)
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
	fmt.Fprintf(text, "# %s runs %s, pulled by the policy %s\n", c.Unit, c.Image, c.PullPolicy)
	for _, file := range c.EnvFiles {
		fmt.Fprintf(text, "# before the variables in Env come those of %s\n", file)
	}
	fmt.Fprintf(text, "# POST %s\n", c.Create.Path)
	return printJSON(text, c.Create.Body)
}

// PrintJSON writes the rendering for programs.
func (r *Rendering) PrintJSON(out io.Writer) error { return printJSON(out, r) }
