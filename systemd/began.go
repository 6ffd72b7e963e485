package systemd

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Began returns when systemd began to start units, as the time since the boot.
func (m *Manager) Began(ctx context.Context) (time.Duration, error) {
	const property = "UserspaceTimestampMonotonic"
	conn, err := m.connect(ctx)
	if err != nil {
		return 0, fmt.Errorf("get %s of systemd: %w", property, err)
	}
	literal, err := conn.GetManagerProperty(property)
	if err != nil {
		return 0, fmt.Errorf("get %s of systemd: %w", property, translate(err))
	}
	return microseconds(literal)
}

// microseconds reads a number of microseconds from a D-Bus literal: "@t 1500000".
func microseconds(literal string) (time.Duration, error) {
	number, err := strconv.ParseInt(strings.TrimPrefix(literal, "@t "), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("get the time at which systemd began: %q is not a number", literal)
	}
	return time.Duration(number) * time.Microsecond, nil
}
