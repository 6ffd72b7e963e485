package ctl

import (
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/agent/api"
)

// leastText is the width to which the image and the reason are shortened at most.
const leastText = 20

// containerColumns returns the table of containers. Name and state are never left out.
func containerColumns(containers []api.Container, v view) []column {
	columns := []column{
		{title: "NAME", least: leastText},
		{title: "STATE", colors: []string{}},
		{title: "SINCE", drop: 2},
		{title: "RESTARTS", drop: 5},
		{title: "UPDATE", drop: 1},
		{title: "PORTS", drop: 6},
		{title: "IMAGE", drop: 4, least: leastText, fromFront: true},
	}
	if v.wide {
		columns = append(columns, column{title: "DIGEST"}, column{title: "HEALTH"}, column{title: "UNIT"})
	}
	columns = append(columns, column{title: "REASON", drop: 3, least: leastText})
	for i := range containers {
		cells := containerCells(&containers[i], v)
		for j := range columns {
			columns[j].cells = append(columns[j].cells, cells[columns[j].title])
			if columns[j].colors != nil {
				columns[j].colors = append(columns[j].colors, v.colors.of(containers[i].State))
			}
		}
	}
	if v.width > 0 && !v.wide {
		return nonEmpty(columns)
	}
	return columns
}

// nonEmpty leaves out columns on a terminal that have nothing to say, except the first two.
func nonEmpty(columns []column) []column {
	kept := columns[:2:2]
	for _, c := range columns[2:] {
		for _, cell := range c.cells {
			if cell != none {
				kept = append(kept, c)
				break
			}
		}
	}
	return kept
}

// none is the cell for nothing.
const none = "-"

// containerCells returns the cells of a container by the titles of their columns.
func containerCells(c *api.Container, v view) map[string]string {
	return map[string]string{
		"NAME":     c.Name + mark(c.Origin),
		"STATE":    string(c.State),
		"SINCE":    brief(c.Since, v.now),
		"RESTARTS": strconv.Itoa(c.Restarts),
		"UPDATE":   orDash(updateWord(c)),
		"PORTS":    orDash(strings.Join(c.Ports, ",")),
		"IMAGE":    orDash(c.Image),
		"DIGEST":   orDash(c.Digest[:min(shortDigest, len(c.Digest))]),
		"HEALTH":   orDash(c.Health),
		"UNIT":     orDash(strings.Trim(c.Unit+" "+strings.Trim(c.ActiveState+"/"+c.SubState, "/"), " ")),
		"REASON":   orDash(reasonCell(c)),
	}
}

// reasonCell says why a container is in its state, and for one that a person keeps from
// running what brings it back.
func reasonCell(c *api.Container) string {
	switch c.State { //nolint:exhaustive // the others end by themselves, or need a look first
	case api.ContainerStopped, api.ContainerPaused, api.ContainerMasked:
		if c.Cure != "" {
			return c.Reason + "; " + c.Cure + " brings it back"
		}
	}
	return indent(c.Reason)
}

// mark says in the table where a container is declared, if it is not in the user data.
func mark(origin api.Origin) string {
	switch origin {
	case api.OriginFile:
		return " (file)"
	case api.OriginLocal:
		return " (local)"
	case api.OriginUnit:
		return " (unit)"
	case api.OriginUserData:
	}
	return ""
}

// updateWord is the state of a container's update in one word, "" if none is made and the
// last one went well.
func updateWord(c *api.Container) string {
	u := c.Update
	switch {
	case u == nil && c.Pending != nil:
		return "pending"
	case u == nil:
		return ""
	case u.Hold != nil:
		return "held"
	case u.Paused != "":
		return "paused"
	}
	switch u.State {
	case "", api.OutcomeConfirmed, api.OutcomeUnchanged, api.OutcomeFound, api.OutcomeSuperseded, "checking":
		if c.Pending != nil {
			return "pending"
		}
		return ""
	case api.StateSoaking:
		if u.From == nil {
			return "" // a first start
		}
	}
	return u.State
}
