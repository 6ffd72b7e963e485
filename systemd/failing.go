package systemd

import (
	"context"
	"fmt"
)

// Failing lists the services that are starting, wait for their next start, or have
// failed, and whose main command is one that wanted accepts. systemd is asked about
// the command of these alone: most services of a host are active.
func (m *Manager) Failing(ctx context.Context, wanted func(command []string) bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := m.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("list units that fail: %w", err)
	}
	units, err := conn.ListUnitsByPatternsContext(ctx, []string{"activating", "failed"}, []string{"*.service"})
	if err != nil {
		return nil, fmt.Errorf("list units that fail: %w", translate(err))
	}
	var names []string
	for _, unit := range units {
		property, err := conn.GetServicePropertyContext(ctx, unit.Name, "ExecStart")
		if err != nil {
			continue // it has ended since
		}
		if wanted(commandOf(property.Value.Value())) {
			names = append(names, unit.Name)
		}
	}
	return names, nil
}

// commandOf returns the first command of the property ExecStart (a(sasbttttuii)).
func commandOf(property any) []string {
	commands, _ := property.([][]any)
	if len(commands) == 0 || len(commands[0]) < 2 {
		return nil
	}
	command, _ := commands[0][1].([]string)
	return command
}
