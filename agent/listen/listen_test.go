package listen

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// start runs a server until the test ends.
func start(t *testing.T) *Server {
	t.Helper()
	s := New("health.listen", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ready") }), zap.NewNop())
	s.retry = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func get(t *testing.T, address string) error {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && string(text) != "ready" {
		return fmt.Errorf("answer %q", text)
	}
	return err
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// taken returns an address that is in use.
func taken(t *testing.T) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// A port that is taken is a problem until it is free, and then served.
func TestTakenPortIsTriedAgain(t *testing.T) {
	s, other := start(t), taken(t)
	address := other.Addr().String()
	s.Move(address)
	eventually(t, "a problem", func() error {
		if problem := s.Problem(); !strings.Contains(problem, "health.listen") || !strings.Contains(problem, "ss -ltnp") {
			return fmt.Errorf("problem %q", problem)
		}
		return nil
	})
	_ = other.Close()
	eventually(t, "the port is served", func() error { return get(t, address) })
	if problem := s.Problem(); problem != "" {
		t.Errorf("Problem() = %q after it listens", problem)
	}
}

// The server goes to another address, and away, without a restart.
func TestAddressChanges(t *testing.T) {
	s := start(t)
	first, second := taken(t), taken(t)
	_ = first.Close()
	_ = second.Close()
	s.Move(first.Addr().String())
	eventually(t, "the first address", func() error { return get(t, first.Addr().String()) })
	s.Move(second.Addr().String())
	eventually(t, "the second address", func() error { return get(t, second.Addr().String()) })
	s.Move("")
	eventually(t, "no address", func() error {
		if get(t, second.Addr().String()) == nil {
			return fmt.Errorf("%s is still served", second.Addr())
		}
		return nil
	})
	if get(t, first.Addr().String()) == nil {
		t.Errorf("%s is still served", first.Addr())
	}
}

// Clients that say nothing do not keep others away.
func TestSilentClients(t *testing.T) {
	s, free := start(t), taken(t)
	_ = free.Close()
	address := free.Addr().String()
	s.Move(address)
	eventually(t, "the address", func() error { return get(t, address) })
	for range maxClients {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	eventually(t, "an answer", func() error { return get(t, address) })
}
