package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// agentUnit is the unit of the agent.
const agentUnit = "dockhost.service"

// logsFlags are the flags of logs; those of journalctl with the same names.
type logsFlags struct {
	follow, agent, all, onlyOutput bool
	lines, since, until, priority  string
}

func (h Host) logsCommand() *cobra.Command {
	var f logsFlags
	cmd := &cobra.Command{
		Use:   "logs NAME... | --agent | --all [-- JOURNALCTL-OPTIONS]",
		Short: "show what containers and dockhost have written to the journal",
		Long: `Runs journalctl for the units of the containers. It shows the output of the
containers, the messages of their supervisors and of systemd, and what the agent
says about them. Options after -- are passed to journalctl.

Exit status: that of journalctl; 1 when it cannot be run.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			names, options := args, []string(nil)
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				names, options = args[:dash], args[dash:]
			}
			return h.logs(cmd.Context(), names, options, f)
		},
	}
	cmd.Flags().BoolVarP(&f.follow, "follow", "f", false, "keep showing new lines")
	cmd.Flags().StringVarP(&f.lines, "lines", "n", "", "show the last `N` lines, or all")
	cmd.Flags().StringVar(&f.since, "since", "", "show lines from this `TIME` on, such as -1h or 08:00")
	cmd.Flags().StringVar(&f.until, "until", "", "show lines up to this `TIME`")
	cmd.Flags().StringVarP(&f.priority, "priority", "p", "", "show lines of this `PRIORITY` and worse, such as err")
	cmd.Flags().BoolVar(&f.onlyOutput, "output-only", false, "show only what the containers have written")
	cmd.Flags().BoolVar(&f.agent, "agent", false, "show everything that the agent has written, too")
	cmd.Flags().BoolVar(&f.all, "all", false, "show all containers and the agent")
	return cmd
}

// logs runs journalctl.
func (h Host) logs(ctx context.Context, names, options []string, f logsFlags) error {
	if f.all == (len(names) > 0) && (f.all || !f.agent) {
		return errors.New("name containers, or use --all or --agent")
	}
	var containers []api.Container
	if len(names) > 0 || f.all {
		s, err := h.gatherStatus(ctx)
		if err == nil {
			containers = s.Containers
		}
	}
	units := h.unitsOf(containers, names)
	if f.all {
		units = allUnits(containers)
	}
	if f.all || f.agent {
		units = append(units, journalUnit{name: agentUnit})
	}
	return h.Become(slices.Concat([]string{"journalctl"}, f.options(), selectUnits(units, f.onlyOutput), options)...)
}

// unitsOf returns the units of containers. One that is not on this host has the unit that
// it would have.
func (h Host) unitsOf(containers []api.Container, names []string) []journalUnit {
	var units []journalUnit
	for _, name := range names {
		i := find(containers, name)
		if i >= 0 {
			units = append(units, unitOf(&containers[i]))
			continue
		}
		if containers != nil {
			fmt.Fprintf(h.Err, "dockhostctl: no container %q on this host (there is: %s); showing what the journal has\n", name, orNone(containerNames(containers)))
		}
		if strings.HasSuffix(name, ".service") {
			units = append(units, journalUnit{name: name}, journalUnit{name: name, uid: anyUser})
		} else {
			units = append(units, journalUnit{name: spec.UnitName(name)})
		}
	}
	return units
}

// allUnits returns the units of all containers, also of those that were removed.
func allUnits(containers []api.Container) []journalUnit {
	units := []journalUnit{{name: spec.UnitName("*")}}
	for i := range containers {
		if containers[i].Origin == api.OriginUnit {
			units = append(units, unitOf(&containers[i]))
		}
	}
	if slices.ContainsFunc(units, journalUnit.isOfUser) { // then there are no patterns
		for i := range containers {
			if containers[i].Origin != api.OriginUnit {
				units = append(units, unitOf(&containers[i]))
			}
		}
	}
	return units
}

// options returns the options for journalctl.
func (f logsFlags) options() []string {
	var options []string
	if f.follow {
		options = append(options, "--follow")
	}
	for _, option := range []struct{ name, value string }{
		{"lines", f.lines}, {"since", f.since}, {"until", f.until}, {"priority", f.priority},
	} {
		if option.value != "" {
			options = append(options, "--"+option.name+"="+option.value)
		}
	}
	return options
}
