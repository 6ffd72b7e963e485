//go:build vm

package vm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// errClosed is returned when qemu has closed the connection.
var errClosed = errors.New("connection closed")

// line is a connection to one of qemu's sockets that carry one JSON message per
// line: the monitor's, or the guest agent's.
type line struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(ctx context.Context, socket string) (*line, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	return &line{conn: conn, in: bufio.NewReader(conn)}, nil
}

func (l *line) close() { _ = l.conn.Close() }

// reply is a message of qemu. An event has neither field.
type reply struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
}

func (l *line) read() (reply, error) {
	var r reply
	raw, err := l.in.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return r, errClosed
	}
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(bytes.TrimLeft(raw, "\xff"), &r)
}

// call sends a command and returns its result. It skips events.
func (l *line) call(command string, arguments any) (json.RawMessage, error) {
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	raw, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if _, err := l.conn.Write(append(raw, '\n')); err != nil {
		return nil, err
	}
	for {
		r, err := l.read()
		switch {
		case err != nil:
			return nil, err
		case r.Error != nil:
			return nil, fmt.Errorf("%s: %s", command, r.Error.Desc)
		case r.Return != nil:
			return r.Return, nil
		}
	}
}

// guestAgent is the qemu-guest-agent of a machine.
type guestAgent struct {
	socket string
}

// dialAgent returns the agent if it answers now. Each call opens its own
// connection: data sent before the agent runs would garble later calls.
func dialAgent(socket string) (*guestAgent, error) {
	a := &guestAgent{socket: socket}
	l, err := a.dial(2 * time.Second)
	if err != nil {
		return nil, err
	}
	l.close()
	return a, nil
}

// dial connects to the agent, and skips replies to earlier connections.
func (a *guestAgent) dial(timeout time.Duration) (*line, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	l, err := dial(ctx, a.socket)
	if err != nil {
		return nil, err
	}
	id := time.Now().UnixNano() % (1 << 40)
	if _, err := fmt.Fprintf(l.conn, "\xff{\"execute\": \"guest-sync-delimited\", \"arguments\": {\"id\": %d}}\n", id); err != nil {
		l.close()
		return nil, err
	}
	for {
		r, err := l.read()
		var torn *json.SyntaxError
		switch {
		case errors.As(err, &torn):
		case err != nil:
			l.close()
			return nil, err
		case string(bytes.TrimSpace(r.Return)) == strconv.FormatInt(id, 10):
			return l, nil
		}
	}
}

// exec runs a shell script, and returns its output and exit status.
func (a *guestAgent) exec(script string, timeout time.Duration) (string, int, error) {
	l, err := a.dial(30 * time.Second)
	if err != nil {
		return "", 0, err
	}
	defer l.close()
	_ = l.conn.SetDeadline(time.Now().Add(timeout))
	raw, err := l.call("guest-exec", map[string]any{
		"path": "/bin/bash", "arg": []string{"-c", "exec 2>&1\n" + script}, "capture-output": true,
		"env": []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"},
	})
	if err != nil {
		return "", 0, err
	}
	var process struct {
		PID int `json:"pid"`
	}
	if err := json.Unmarshal(raw, &process); err != nil {
		return "", 0, err
	}
	return l.await(process.PID, timeout)
}

// await polls until the process has exited: the agent cannot report it.
func (l *line) await(pid int, timeout time.Duration) (string, int, error) {
	var status struct {
		Exited   bool   `json:"exited"`
		ExitCode int    `json:"exitcode"`
		Signal   int    `json:"signal"`
		Out      []byte `json:"out-data"` // encoding/json decodes the base64
	}
	for deadline, wait := time.Now().Add(timeout), 50*time.Millisecond; time.Now().Before(deadline); wait = min(2*wait, 2*time.Second) {
		raw, err := l.call("guest-exec-status", map[string]any{"pid": pid})
		if err != nil {
			return "", 0, err
		}
		if err := json.Unmarshal(raw, &status); err != nil {
			return "", 0, err
		}
		if status.Exited {
			return string(status.Out), status.ExitCode + 128*min(status.Signal, 1) + status.Signal, nil
		}
		<-time.After(wait)
	}
	return "", 0, fmt.Errorf("script still runs after %v", timeout)
}
