package systemd

import (
	"context"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

const (
	busName    = "org.freedesktop.systemd1"
	busPath    = godbus.ObjectPath("/org/freedesktop/systemd1")
	properties = "org.freedesktop.DBus.Properties"
)

// Watch returns a channel that receives a value when a property of a unit changes, such
// as its state or its STATUS=. Changes that were not received yet are merged into one
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
			case _, open := <-signals:
				if !open {
					return
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

// subscribe requests the signals of one unit. systemd sends signals only while it has
// subscribers.
func subscribe(ctx context.Context, bus *godbus.Conn, unit string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	path := busPath + "/unit/" + godbus.ObjectPath(dbus.PathBusEscape(unit))
	err := bus.AddMatchSignalContext(ctx, godbus.WithMatchSender(busName), godbus.WithMatchObjectPath(path),
		godbus.WithMatchInterface(properties), godbus.WithMatchMember("PropertiesChanged"))
	if err != nil {
		return err
	}
	return bus.Object(busName, busPath).CallWithContext(ctx, busName+".Manager.Subscribe", 0).Err
}
