package systemd

import (
	"context"
	"fmt"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

const (
	busName    = "org.freedesktop.systemd1"
	busPath    = godbus.ObjectPath("/org/freedesktop/systemd1")
	properties = "org.freedesktop.DBus.Properties"
)

// Watch returns a channel that receives a value when a property of a unit changes, such
// as its state or its STATUS=. A name with "*" before its suffix stands for all units that
// begin so ("dockhost@*.service"). Changes that were not received yet are merged into one
// value. The channel is closed when ctx ends or the connection to the bus is lost.
// Changes before Watch returns are not reported.
func (m *Manager) Watch(ctx context.Context, name string) (<-chan struct{}, error) {
	// Each watch has a connection of its own, so that it does not receive the signals
	// of other watches.
	bus, err := godbus.ConnectSystemBus()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", name, err)
	}
	signals := make(chan *godbus.Signal, 16)
	bus.Signal(signals)
	if err := subscribe(ctx, bus, name); err != nil {
		_ = bus.Close()
		return nil, fmt.Errorf("watch %s: %w", name, translate(err))
	}
	changes := make(chan struct{}, 1)
	go func() {
		defer close(changes)
		defer bus.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case signal, open := <-signals:
				if !open {
					return
				}
				if !concerns(signal, name) {
					continue
				}
			}
			select {
			case changes <- struct{}{}:
			default:
			}
		}
	}()
	return changes, nil
}

// unitPath returns the path of a unit on the bus.
func unitPath(unit string) godbus.ObjectPath {
	return busPath + "/unit/" + godbus.ObjectPath(dbus.PathBusEscape(unit))
}

// concerns says whether a signal is about a unit, or about one that a pattern stands for.
func concerns(signal *godbus.Signal, pattern string) bool {
	prefix, _, isPattern := strings.Cut(pattern, "*")
	return !isPattern || strings.HasPrefix(string(signal.Path), string(unitPath(prefix)))
}

// subscribe requests the signals of units. systemd sends signals only while it has
// subscribers.
func subscribe(ctx context.Context, bus *godbus.Conn, unit string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	path := godbus.WithMatchObjectPath(unitPath(unit))
	if _, _, isPattern := strings.Cut(unit, "*"); isPattern {
		path = godbus.WithMatchPathNamespace(busPath + "/unit")
	}
	err := bus.AddMatchSignalContext(ctx, godbus.WithMatchSender(busName), path,
		godbus.WithMatchInterface(properties), godbus.WithMatchMember("PropertiesChanged"))
	if err != nil {
		return err
	}
	return bus.Object(busName, busPath).CallWithContext(ctx, busName+".Manager.Subscribe", 0).Err
}
