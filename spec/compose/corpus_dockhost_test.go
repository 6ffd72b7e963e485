package compose

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/dockhost/dockhost/spec"
)

// What follows reads parts of an assignment that stand in one place only. Where
// an assignment has no such part, Compose's side shows what is missing.

// dockhostEnvFile reads a file as the supervisor does.
func dockhostEnvFile(file spec.EnvFile) (map[string]string, error) {
	f, err := os.Open(file.Path)
	if errors.Is(err, os.ErrNotExist) && !file.Required {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if file.Format != "" {
		vars := map[string]string{}
		return vars, composeReadRaw(f, "", vars, nil)
	}
	return dotenv.ParseWithLookup(f, nil)
}

// composeReadRaw reads lines of NAME=VALUE as they are, which docker compose adds to the
// formats that its library reads.
func composeReadRaw(r io.Reader, _ string, vars map[string]string, _ func(string) (string, bool)) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if found && !strings.HasPrefix(name, "#") {
			vars[name] = value
		}
	}
	return nil
}

// dockhostContainerName returns container_name, "" where the file has none.
func dockhostContainerName(c *spec.Container) string { return c.ContainerName }

// dockhostCondition returns the condition of a dependency, and " restart" where
// the dependant restarts with it.
func dockhostCondition(dependency spec.Dependency) string {
	condition := string(dependency.Condition)
	if condition == "" {
		condition = types.ServiceConditionStarted
	}
	if dependency.Restart {
		condition += " restart"
	}
	return condition
}

// dockhostSecrets and dockhostConfigs return the files by their paths in the
// container.
func dockhostSecrets(c *spec.Container) map[string]fileFact { return dockhostFiles(c, false) }
func dockhostConfigs(c *spec.Container) map[string]fileFact { return dockhostFiles(c, true) }

func dockhostFiles(c *spec.Container, configs bool) map[string]fileFact {
	files := map[string]fileFact{}
	id := func(id int) string {
		if id == 0 {
			return ""
		}
		return strconv.Itoa(id)
	}
	for _, file := range c.Files {
		if file.Config != configs {
			continue
		}
		fact := fileFact{Content: string(file.Content), UID: id(file.UID), GID: id(file.GID)}
		if file.Mode != 0 {
			fact.Mode = fmt.Sprintf("0%o", file.Mode)
		}
		files[file.Target] = fact
	}
	return files
}

// dockhostPostStart and dockhostPreStop return the hooks as composeHooks does.
func dockhostPostStart(c *spec.Container) []facts { return dockhostHooks(c.PostStart) }
func dockhostPreStop(c *spec.Container) []facts   { return dockhostHooks(c.PreStop) }

func dockhostHooks(hooks []spec.Hook) []facts {
	var list []facts
	for _, hook := range hooks {
		list = append(list, facts{
			"command": hook.Command, "user": hook.User, "privileged": hook.Privileged, "working_dir": hook.WorkingDir, "environment": sortedFact(hook.Env),
		})
	}
	return list
}

// dockhostVolumes and dockhostNetworks return what the assignment declares, by
// the names at the Engine, as composeVolumes and composeNetworks do.
func dockhostVolumes(assignment *spec.Assignment) facts {
	volumes := facts{}
	for _, c := range assignment.Containers {
		for _, v := range c.Volumes {
			if v.External {
				volumes[v.Name] = facts{"external": true}
				continue
			}
			volumes[v.Name] = facts{
				"external": false, "driver": cmp.Or(v.Driver, "local"), "driver_opts": showFact(types.Options(v.Options)), "labels": showFact(ownLabels(v.Labels)),
			}
		}
	}
	return volumes
}

func dockhostNetworks(assignment *spec.Assignment) facts {
	networks := facts{}
	for _, c := range assignment.Containers {
		for _, n := range c.Networks {
			if n.External {
				networks[n.Name] = facts{"external": true}
				continue
			}
			var ipam types.IPAMConfig
			if n.IPAM != nil {
				ipam.Driver = n.IPAM.Driver
				for _, pool := range n.IPAM.Config {
					ipam.Config = append(ipam.Config, &types.IPAMPool{
						Subnet: pool.Subnet, Gateway: pool.Gateway, IPRange: pool.IPRange, AuxiliaryAddresses: pool.AuxAddress,
					})
				}
			}
			var ipv6 *bool
			if n.EnableIPv6 {
				ipv6 = &n.EnableIPv6
			}
			networks[n.Name] = facts{
				"external": false, "driver": cmp.Or(n.Driver, "bridge"), "driver_opts": showFact(types.Options(n.Options)), "labels": showFact(ownLabels(n.Labels)),
				"internal": n.Internal, "attachable": n.Attachable, "enable_ipv6": ipv6, "ipam": ipam,
			}
		}
	}
	return networks
}

// ownLabels returns the declared labels, without those that Compose adds itself.
func ownLabels(labels map[string]string) types.Labels {
	var own types.Labels
	for name, value := range labels {
		if !strings.HasPrefix(name, "com.docker.compose.") {
			own = own.Add(name, value)
		}
	}
	return own
}

// composeFileFact returns a secret or a configuration with its content. Compose reads
// variables as it loads, files as it makes the container.
func composeFileFact(project *types.Project, reference types.FileReferenceConfig, object types.FileObjectConfig) fileFact {
	f := fileFact{Content: object.Content, UID: reference.UID, GID: reference.GID}
	if reference.Mode != nil {
		f.Mode = reference.Mode.String()
	}
	switch {
	case object.File != "":
		raw, err := os.ReadFile(object.File)
		if err != nil {
			return fileFact{Content: err.Error()}
		}
		f.Content = string(raw)
	case object.Environment != "":
		f.Content = project.Environment[object.Environment]
	}
	return f
}

// composeVolumes returns the volumes of a project that its services use, by their
// names at the Engine. An external one is there already.
func composeVolumes(project *types.Project) facts {
	used := map[string]bool{}
	for _, s := range project.Services {
		for _, volume := range s.Volumes {
			used[volume.Source] = used[volume.Source] || volume.Type == types.VolumeTypeVolume
		}
	}
	volumes := facts{}
	for key, volume := range project.Volumes {
		driver := volume.Driver
		if driver == "" {
			driver = "local"
		}
		switch {
		case !used[key]:
		case bool(volume.External):
			volumes[volume.Name] = facts{"external": true}
		default:
			volumes[volume.Name] = facts{"external": false, "driver": driver, "driver_opts": showFact(volume.DriverOpts), "labels": showFact(volume.Labels)}
		}
	}
	return volumes
}

// composeNetworks returns the networks of a project likewise. The default network
// that a project of one service does not need is left out.
func composeNetworks(project *types.Project) facts {
	networks := facts{}
	for _, network := range project.Networks {
		used := false
		for _, s := range project.Services {
			endpoints, _ := composeEndpoints(project, &s).(map[string]endpointFact)
			if _, found := endpoints[network.Name]; found {
				used = true
			}
		}
		switch {
		case !used:
		case bool(network.External):
			networks[network.Name] = facts{"external": true}
		default:
			driver := network.Driver
			if driver == "" {
				driver = "bridge"
			}
			networks[network.Name] = facts{
				"external": false, "driver": driver, "driver_opts": showFact(network.DriverOpts), "labels": showFact(network.Labels),
				"internal": network.Internal, "attachable": network.Attachable, "enable_ipv6": network.EnableIPv6, "ipam": network.Ipam,
			}
		}
	}
	return networks
}
