// Package systemd is the interface to systemd: units over D-Bus, the notify socket, the
// cgroup tree, the journal and socket activation. No other package imports
// go-systemd and godbus. It knows nothing of Docker or containers.
package systemd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// callTimeout bounds one D-Bus call. systemd answers within milliseconds, unless it is
// reloading very many units.
const callTimeout = 25 * time.Second

// ErrNoUnit means that systemd has no unit of that name.
var ErrNoUnit = errors.New("no such unit")

// Manager starts, stops and inspects units. It connects on first use, and again after
// the connection was lost (daemon-reexec closes private ones). It is safe for
// concurrent use.
type Manager struct {
	// Socket is the private socket of a user's manager ([UserSocket]); "" means the
	// system's manager.
	Socket string

	mu   sync.Mutex
	conn *dbus.Conn
	// dialing is closed when the attempt to connect has ended, with failure as its
	// error; nil while nothing connects.
	dialing chan struct{}
	failure error
}

// Close closes the connection.
func (m *Manager) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil {
		m.conn.Close()
		m.conn = nil
	}
}

// connect returns the connection. It waits for a bus that hangs until ctx ends.
func (m *Manager) connect(ctx context.Context) (*dbus.Conn, error) {
	m.mu.Lock()
	if m.conn != nil && m.conn.Connected() {
		defer m.mu.Unlock()
		return m.conn, nil
	}
	dialing := m.dialing
	if dialing == nil {
		dialing = make(chan struct{})
		m.dialing = dialing
		go m.dial(context.WithoutCancel(ctx), dialing)
	}
	m.mu.Unlock()
	select {
	case <-dialing:
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to systemd: %w", ctx.Err())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == nil {
		return nil, fmt.Errorf("connect to systemd: %w", cmp.Or(m.failure, net.ErrClosed))
	}
	return m.conn, nil
}

// dial connects. The connection outlives the call that needs it first.
func (m *Manager) dial(ctx context.Context, done chan struct{}) {
	conn, err := m.open(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn, m.failure, m.dialing = conn, err, nil
	close(done)
}

func (m *Manager) open(ctx context.Context) (*dbus.Conn, error) {
	if m.Socket == "" {
		return dbus.NewWithContext(ctx)
	}
	return dbus.NewConnection(func() (*godbus.Conn, error) {
		conn, err := godbus.Dial("unix:path="+m.Socket, godbus.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		if err := conn.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	})
}

// Start starts the unit and does not wait for it. It resets an earlier failure, so
// that a start limit does not prevent the start.
func (m *Manager) Start(ctx context.Context, name string) error {
	return m.job(ctx, "start", name, func(ctx context.Context, conn *dbus.Conn) (int, error) {
		// An error means that the unit is not loaded, so it has no failure to reset.
		_ = conn.ResetFailedUnitContext(ctx, name)
		return conn.StartUnitContext(ctx, name, "replace", nil)
	})
}

// Restart restarts the unit and does not wait for it.
func (m *Manager) Restart(ctx context.Context, name string) error {
	return m.job(ctx, "restart", name, func(ctx context.Context, conn *dbus.Conn) (int, error) {
		return conn.RestartUnitContext(ctx, name, "replace", nil)
	})
}

// Retry starts a unit again that failed, and does not wait for it: at once, as if it had
// not failed before, instead of after the delay that its RestartSec= and RestartSteps=
// have reached. The error is [ErrConflict] if the unit is being stopped by now. One that has
// stopped since it was asked for stays so.
func (m *Manager) Retry(ctx context.Context, unit Unit) error {
	return m.job(ctx, "restart", unit.Name, func(ctx context.Context, conn *dbus.Conn) (int, error) {
		_ = conn.ResetFailedUnitContext(ctx, unit.Name) // as in Start
		if unit.Active() {
			return conn.TryRestartUnitContext(ctx, unit.Name, "fail", nil)
		}
		return conn.RestartUnitContext(ctx, unit.Name, "fail", nil)
	})
}

func (m *Manager) job(ctx context.Context, verb, name string, ask func(context.Context, *dbus.Conn) (int, error)) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := m.connect(ctx)
	if err == nil {
		_, err = ask(ctx, conn)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, name, translate(err))
	}
	return nil
}

// BeginStop stops the unit and does not wait for it. The error is [ErrNoUnit] if the unit
// does not exist.
func (m *Manager) BeginStop(ctx context.Context, name string) error {
	return m.job(ctx, "stop", name, func(ctx context.Context, conn *dbus.Conn) (int, error) {
		return conn.StopUnitContext(ctx, name, "replace", nil)
	})
}

// Signal sends a signal to the main process of a unit.
func (m *Manager) Signal(ctx context.Context, name string, sig syscall.Signal) error {
	return m.kill(ctx, name, dbus.Main, sig)
}

// Kill sends a signal to all processes of a unit.
func (m *Manager) Kill(ctx context.Context, name string, sig syscall.Signal) error {
	return m.kill(ctx, name, dbus.All, sig)
}

func (m *Manager) kill(ctx context.Context, name string, who dbus.Who, sig syscall.Signal) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := m.connect(ctx)
	if err == nil {
		err = conn.KillUnitWithTarget(ctx, name, who, int32(sig)) //nolint:gosec // there are 64 signals
	}
	if err != nil {
		return fmt.Errorf("signal %s: %w", name, translate(err))
	}
	return nil
}

// ResetFailed forgets that the unit failed, so that systemd forgets the unit once
// nothing refers to it. A unit that has not failed, or does not exist, is not an
// error.
func (m *Manager) ResetFailed(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := m.connect(ctx)
	if err == nil {
		err = translate(conn.ResetFailedUnitContext(ctx, name))
	}
	if err != nil && !errors.Is(err, ErrNoUnit) {
		return fmt.Errorf("reset the failure of %s: %w", name, err)
	}
	return nil
}

// ReloadUnit reloads the unit and returns when the reload is done. The error is
// [ErrNoUnit] if the unit does not exist.
func (m *Manager) ReloadUnit(ctx context.Context, name string) error {
	conn, err := m.connect(ctx)
	if err != nil {
		return fmt.Errorf("reload %s: %w", name, err)
	}
	result := make(chan string, 1)
	if _, err := conn.ReloadUnitContext(ctx, name, "replace", result); err != nil {
		return fmt.Errorf("reload %s: %w", name, translate(err))
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("reload %s: %w", name, ctx.Err())
	case r := <-result:
		if r != "done" {
			return fmt.Errorf("reload %s: the job ended with result %q (see: systemctl status %s)", name, r, name)
		}
		return nil
	}
}

// Reload makes systemd read the unit files again.
func (m *Manager) Reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	conn, err := m.connect(ctx)
	if err == nil {
		err = conn.ReloadContext(ctx)
	}
	if err != nil {
		return fmt.Errorf("reload systemd's unit files: %w", translate(err))
	}
	return nil
}

// Units lists the loaded units that match a pattern such as "dockhost@*.service" and
// are not inactive.
func (m *Manager) Units(ctx context.Context, pattern string) ([]string, error) {
	return m.list(ctx, pattern, func(unit dbus.UnitStatus) bool { return unit.ActiveState != "inactive" })
}

// Loaded lists the loaded units that match a pattern. Only their files need a
// [Manager.Reload] after a change. systemd reads the files of other units when they
// are first used.
func (m *Manager) Loaded(ctx context.Context, pattern string) ([]string, error) {
	return m.list(ctx, pattern, func(dbus.UnitStatus) bool { return true })
}

func (m *Manager) list(ctx context.Context, pattern string, wanted func(dbus.UnitStatus) bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := m.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	units, err := conn.ListUnitsByPatternsContext(ctx, nil, []string{pattern})
	if err != nil {
		return nil, fmt.Errorf("list units: %w", translate(err))
	}
	var names []string
	for _, unit := range units {
		if wanted(unit) {
			names = append(names, unit.Name)
		}
	}
	return names, nil
}

// ErrConflict means that systemd has another job for a unit, which a new one may not end.
var ErrConflict = errors.New("another job is in the way")

// ErrAway means that systemd went away before it answered, as when it executes itself
// again. Whether it has done what was asked is not known.
var ErrAway = errors.New("systemd does not answer")

// away are the names of errors that the bus gives instead of systemd.
var away = []string{ //nolint:gochecknoglobals // a constant
	"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected", "org.freedesktop.DBus.Error.NameHasNoOwner",
}

func translate(err error) error {
	var reply godbus.Error
	if errors.As(err, &reply) && slices.Contains(away, reply.Name) {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	if errors.As(err, &reply) && reply.Name == "org.freedesktop.systemd1.NoSuchUnit" {
		return ErrNoUnit
	}
	if errors.As(err, &reply) && reply.Name == "org.freedesktop.systemd1.TransactionIsDestructive" {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// Version returns systemd's major version.
func (m *Manager) Version(ctx context.Context) (int, error) {
	conn, err := m.connect(ctx)
	if err != nil {
		return 0, fmt.Errorf("get systemd's version: %w", err)
	}
	// The property comes as a D-Bus literal: "257.9-1~deb13u1" in quotes.
	property, err := conn.GetManagerProperty("Version")
	if err != nil {
		return 0, fmt.Errorf("get systemd's version: %w", translate(err))
	}
	digits := strings.TrimLeft(property, `"`)
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	version, err := strconv.Atoi(digits)
	if err != nil {
		return 0, fmt.Errorf("get systemd's version: %q is not a version", property)
	}
	return version, nil
}
