package gce

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// spot is a place in the declaration.
type spot = document.Spot

// converter reads one declaration and builds the section.
type converter struct {
	*document.Report
	*Conversion
	mistakes []mistake
}

// note adds a note about a difference from konlet.
func (c *converter) note(at spot, format string, args ...any) {
	line, _ := at.Position()
	c.Notes = append(c.Notes, Note{Line: line, Path: at.Path, Text: fmt.Sprintf(format, args...)})
}

// items returns the items of a list, and nothing for a missing or null list.
func (c *converter) items(at spot, of string) []spot {
	if !at.IsList() && !at.IsNull() {
		c.Errorf(at, "not a list: write - and %s below it", of)
	}
	var items []spot
	for _, item := range at.Items() {
		items = append(items, item)
	}
	return items
}

// declaration reads the whole declaration.
func (c *converter) declaration(top spot) {
	const missing = "no container: write spec: with containers: below it"
	if !top.IsMapping() {
		c.Errorf(top, missing)
		return
	}
	hasSpec := false
	name := top.Field("metadata").Field("name")
	c.fields(top, []string{"apiVersion", "kind", "metadata", "spec"}, nil, func(key string, value spot) {
		if key == "spec" {
			hasSpec = true
			c.spec(value, name)
		}
	})
	if !hasSpec && c.Len() == 0 {
		c.Errorf(top, missing)
	}
}

// podKeys returns the keys of a Kubernetes pod that konlet ignored.
func podKeys() []string {
	return []string{
		"activeDeadlineSeconds", "affinity", "dnsPolicy", "hostNetwork", "hostPID", "hostIPC", "imagePullSecrets", "initContainers",
		"nodeSelector", "securityContext", "serviceAccountName", "terminationGracePeriodSeconds", "tolerations",
	}
}

func (c *converter) spec(at, name spot) {
	var containers, volumes, restart spot
	c.fields(at, []string{"containers", "restartPolicy", "volumes"}, podKeys(), func(key string, value spot) {
		switch key {
		case "containers":
			containers = value
		case "restartPolicy":
			restart = value
		case "volumes":
			volumes = value
		}
	})
	if !at.IsMapping() {
		return
	}
	policy, declared := c.restart(restart), c.volumes(volumes)
	var list []spot
	if containers.Present() {
		list = c.items(containers, "name: and image:")
	}
	if len(list) != 1 {
		if containers.Present() {
			at = containers
		}
		c.Errorf(at, "%d containers: write exactly one (for more, convert the declaration and add them below dockhost:)", len(list))
		return
	}
	c.Section = c.container(list[0], name, policy, declared)
}

// restart returns the policy in Compose's words. It accepts "No", which people
// write and konlet refused.
func (c *converter) restart(at spot) *yaml.Node {
	policies := map[string]string{"Always": "always", "OnFailure": "on-failure", "Never": "no"}
	text := at.Text()
	switch {
	case !at.Present():
		return c.text(at, "always")
	case at.IsScalar() && slices.Contains([]string{"no", "false"}, strings.ToLower(text)):
		c.note(at, "konlet refused this policy; here it means Never")
		return c.text(at, "no")
	case policies[text] == "":
		near := document.Nearest(text, []string{"Always", "OnFailure", "Never"})
		if near != "" {
			near = fmt.Sprintf(" (did you mean %s?)", near)
		}
		c.Errorf(at, "unknown policy: use Always, OnFailure or Never%s", near)
		return nil
	}
	return c.text(at, policies[text])
}

// containerKeys returns the keys of a container in a Kubernetes pod that konlet
// ignored.
func containerKeys() []string {
	return []string{
		"envFrom", "imagePullPolicy", "lifecycle", "livenessProbe", "ports", "readinessProbe", "resources", "startupProbe",
		"stdinOnce", "terminationMessagePath", "terminationMessagePolicy", "workingDir",
	}
}

// container returns the section with the container, or nil after a problem.
func (c *converter) container(at, podName spot, restart *yaml.Node, volumes map[string]*volume) *yaml.Node {
	if !at.IsMapping() {
		c.Errorf(at, "not a container: write name: and image: below it, indented")
		return nil
	}
	s := &service{mapping: c.mapping(at), restart: restart}
	name := c.readContainer(at, volumes, s)
	c.unused(volumes)
	if s.image.Text() == "" || !s.image.IsScalar() {
		if !s.image.Present() {
			s.image = at
		}
		c.Errorf(s.image, "no image: add image: with an image reference")
		return nil
	}
	key := c.name(at, s.image, name, podName)
	section := c.mapping(at)
	containers := c.mapping(at)
	c.put(containers, key, c.assemble(s))
	c.put(section, c.key(at, "containers"), containers)
	if login := c.login(s.image); login != nil {
		c.put(section, c.key(s.image, "registries"), login)
	}
	return section
}

// readContainer reads the keys of the container into s, and returns the place of
// its name.
func (c *converter) readContainer(at spot, volumes map[string]*volume, s *service) (name spot) {
	keys := []string{"args", "command", "env", "image", "name", "securityContext", "stdin", "tty", "volumeMounts"}
	c.fields(at, keys, containerKeys(), func(key string, value spot) {
		switch key {
		case "name":
			name = value
		case "image":
			s.image = value
		case "command":
			s.entrypoint = c.strings(value)
		case "args":
			s.command = c.strings(value)
		case "env":
			s.environment = c.environment(value)
		case "securityContext":
			s.privileged = c.privileged(value)
		case "stdin":
			s.stdin = c.flag(value)
		case "tty":
			s.tty = c.flag(value)
		case "volumeMounts":
			c.volumeMounts(value, volumes, s)
		}
	})
	return name
}

// name returns the name of the container. Like konlet it accepts a declaration
// without a name, such as those of Google's Terraform module.
func (c *converter) name(at, image, name, podName spot) *yaml.Node {
	switch {
	case name.Present() && (!name.IsScalar() || name.Text() == ""):
		c.Errorf(name, "not a name: write a string")
	case name.Present():
		return c.text(name, name.Text())
	case podName.IsScalar() && podName.Text() != "":
		return c.text(podName, podName.Text())
	}
	imageName := "app"
	if named, err := reference.ParseNormalizedNamed(image.Text()); err == nil {
		path := reference.Path(named)
		imageName = path[strings.LastIndexByte(path, '/')+1:]
	}
	if !name.Present() {
		c.note(at, "the container has no name; here it is %s, after its image", imageName)
	}
	return c.text(at, imageName)
}

// googleRegistries matches the registries that konlet logged in to.
var googleRegistries = regexp.MustCompile(`^((.+\.)?gcr\.io|.+\.pkg\.dev)$`)

// login returns the registries section for an image in one of Google's
// registries. konlet used the token of the instance's default service account,
// from the metadata server.
func (c *converter) login(image spot) *yaml.Node {
	named, err := reference.ParseNormalizedNamed(image.Text())
	if err != nil || !googleRegistries.MatchString(reference.Domain(named)) {
		return nil
	}
	login := c.mapping(image)
	c.put(login, c.key(image, "identity"), c.text(image, "gce"))
	registries := c.mapping(image)
	c.put(registries, c.text(image, reference.Domain(named)), login)
	return registries
}

func (c *converter) privileged(at spot) *yaml.Node {
	var privileged *yaml.Node
	ignored := []string{
		"allowPrivilegeEscalation", "capabilities", "procMount", "readOnlyRootFilesystem", "runAsGroup", "runAsNonRoot", "runAsUser",
		"seLinuxOptions", "seccompProfile",
	}
	c.strictFields(at, []string{"privileged"}, ignored, func(_ string, value spot) { privileged = c.flag(value) })
	return privileged
}

// flag returns a node for true, or nil for false.
func (c *converter) flag(at spot) *yaml.Node {
	var value bool
	if !at.IsScalar() || at.Node.Tag != "!!bool" || at.Node.Decode(&value) != nil {
		c.Errorf(at, "neither true nor false")
		return nil
	}
	if !value {
		return nil
	}
	return c.scalar(at, "!!bool", "true")
}

// strings returns a list of strings, or nil for an empty list. It reads other
// scalars, such as numbers, as the strings that are written.
func (c *converter) strings(at spot) *yaml.Node {
	items := c.items(at, "a string")
	if len(items) == 0 {
		return nil
	}
	list := c.list(at)
	for _, item := range items {
		if !item.IsScalar() {
			c.Errorf(item, "not a string")
			continue
		}
		list.Content = append(list.Content, c.value(item, item.Text()))
	}
	return list
}

func (c *converter) environment(at spot) *yaml.Node {
	environment := c.mapping(at)
	seen := map[string]bool{}
	for _, item := range c.items(at, "name: and value:") {
		var name, value spot
		c.fields(item, []string{"name", "value"}, nil, func(key string, at spot) {
			if key == "name" {
				name = at
			} else {
				value = at
			}
		})
		switch {
		case !item.IsMapping():
		case name.Text() == "" || strings.ContainsAny(name.Text(), "=\x00"):
			c.Errorf(item, "not a variable: write name: with a name that has no =, and value:")
		case value.Present() && !value.IsScalar():
			c.Errorf(value, "not a string: write a single value")
		case seen[name.Text()]:
			c.Errorf(name, "this variable is set twice: keep one of them")
		default:
			seen[name.Text()] = true
			if !value.Present() {
				value = item
			}
			c.put(environment, c.text(name, name.Text()), c.value(value, value.Text()))
		}
	}
	if len(environment.Content) == 0 {
		return nil
	}
	return environment
}
