package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/agent/api"
)

// dialAs connects to a socket as a user without groups of the agent. The kernel asks the
// thread that connects, which ends afterwards. It needs root.
func dialAs(t *testing.T, path string, uid int, groups ...uint32) net.Conn {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread has the user for good
		done <- func() (r result) {
			if err := become(uid, strangerID, groups); err != nil {
				return result{nil, err}
			}
			r.conn, r.err = net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
			return r
		}()
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Cleanup(func() { _ = r.conn.Close() })
	return r.conn
}

// become changes the user of this thread alone.
func become(uid, gid int, groups []uint32) error {
	var list uintptr
	if len(groups) > 0 {
		list = addressOf(&groups[0])
	}
	_, _, err := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), list, 0)
	runtime.KeepAlive(groups)
	if err == 0 {
		_, _, err = unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid))
	}
	if err == 0 {
		_, _, err = unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
	}
	if err != 0 {
		return err
	}
	return nil
}

// askOn sends a request on a connection.
func askOn(t *testing.T, conn net.Conn, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://agent"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := request.Write(conn); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, conn, request)
}

func readAnswer(t *testing.T, conn net.Conn, request *http.Request) (int, string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK && request.URL.Path == "/v1/watch" {
		return response.StatusCode, "" // has no end
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// reachable makes the directories of a test open to all users.
func reachable(t *testing.T, path string) {
	t.Helper()
	for dir := filepath.Dir(path); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	strangerID = 4711
	groupID    = 4712
)

// Each route refuses those without its access, and says who may use it. A member of the
// group of the socket may change something, by a supplementary group, too.
func TestAccessOfEachRoute(t *testing.T) {
	h := newTestHost(t)
	h.serve(func(path string) {
		if os.Geteuid() == 0 {
			_ = os.Chown(path, 0, groupID)
		}
	})
	path := filepath.Join(h.root, "agent.sock")
	reachable(t, path)
	for _, route := range api.Routes() {
		url := strings.ReplaceAll(route.Path, "{name}", "web")
		for name, test := range map[string]struct {
			groups []uint32
			may    []api.Access
		}{
			"a stranger": {nil, []api.Access{api.Reads}},
			"a member":   {[]uint32{1, groupID}, []api.Access{api.Reads, api.Changes}},
		} {
			conn := dialAs(t, path, strangerID, test.groups...)
			code, answer := askOn(t, conn, route.Method, url, "")
			_ = conn.Close()
			if want := !slices.Contains(test.may, route.Access); (code == http.StatusForbidden) != want {
				t.Errorf("%s by %s answers %d: %s, want it refused: %v", route.Pattern(), name, code, answer, want)
			}
			if code == http.StatusForbidden && (!strings.Contains(answer, "only root") || !strings.Contains(answer, "use sudo")) {
				t.Errorf("%s answers %s, want who may, and sudo", route.Pattern(), answer)
			}
		}
	}
}

// The status of those who may only read has no environment.
func TestReadersSeeNoSecret(t *testing.T) {
	h := newTestHost(t)
	s := h.serve()
	if code, answer := s.put(local("web", "nginx:1")); code != http.StatusOK {
		t.Fatalf("PUT answers %d: %s", code, answer)
	}
	path := filepath.Join(h.root, "agent.sock")
	reachable(t, path)
	for _, url := range []string{"/v1/status", "/v1/userdata", "/v1/history"} {
		code, answer := askOn(t, dialAs(t, path, strangerID), "GET", url, "")
		if code != http.StatusOK {
			t.Errorf("GET %s answers %d: %s", url, code, answer)
		}
		s.wantNoSecret(answer)
	}
}

// Clients that neither read nor write, and those that are too many, do not keep others
// from the agent.
func TestSilentClientsHarmNobody(t *testing.T) {
	h := newTestHost(t)
	s := h.serve()
	path := filepath.Join(h.root, "agent.sock")
	reachable(t, path)
	limits := clientLimits()
	silent := make([]net.Conn, 0, limits.perReader)
	for i := range limits.perReader {
		conn := dialAs(t, path, strangerID)
		silent = append(silent, conn)
		if i%2 == 0 { // says what it sends, and does not send it
			fmt.Fprint(conn, "PUT /v1/containers/web HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
		} else { // asks, and does not read
			fmt.Fprint(conn, strings.Repeat("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 100))
		}
	}
	_ = dialAs(t, path, strangerID).SetReadDeadline(time.Now())
	above := dialAs(t, path, strangerID)
	if code, answer := readAnswer(t, above, nil); code != http.StatusServiceUnavailable || !strings.Contains(answer, "too many clients") {
		t.Errorf("one more client gets %d: %s, want %d", code, answer, http.StatusServiceUnavailable)
	}
	if code, answer := askOn(t, dialAs(t, path, strangerID+1), "GET", "/v1/status", ""); code != http.StatusOK {
		t.Errorf("another user gets %d: %s", code, answer)
	}
	if code, answer := s.put(local("web", "nginx:1")); code != http.StatusOK {
		t.Errorf("root gets %d: %s", code, answer)
	}
	for _, conn := range silent {
		_ = conn.Close()
	}
	h.eventually("the places of clients that went away are free again", func() error {
		conn := dialAs(t, path, strangerID)
		defer conn.Close()
		fmt.Fprint(conn, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
		head, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil && !strings.Contains(head, "200") {
			return errors.New(head)
		}
		return err
	})
}

// A body that does not belong there, is too large or never ends is refused, and the
// connection closed.
func TestBodiesAreBounded(t *testing.T) {
	s := newTestHost(t).serve()
	if code, answer := s.ask("POST", "/v1/userdata/fetch", "x"); code != http.StatusBadRequest {
		t.Errorf("a body where none belongs: %d %s", code, answer)
	}
	if code, answer := s.ask("PUT", "/v1/containers/web/hold", strings.Repeat(" ", 1<<20)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %d %s", code, answer)
	}
	if code, answer := s.ask("GET", "/v1/nothing", ""); code != http.StatusNotFound || !strings.Contains(answer, "problems") {
		t.Errorf("an unknown route: %d %s", code, answer)
	}
}

// The limits count what is open, whatever the order.
func TestClientLimits(t *testing.T) {
	t.Parallel()
	l := newClientListener(nil, changers{uid: 1, gid: 2}, limits{perReader: 2, readers: 3, changers: 1})
	reader, other, member := peer{uid: 10}, peer{uid: 11}, peer{uid: 12, gids: []uint32{2}}
	for i, step := range []struct {
		peer  peer
		enter bool
		want  bool
	}{
		{reader, true, true},
		{reader, true, true},
		{reader, true, false}, // two of one
		{other, true, true},
		{other, true, false}, // three of all
		{member, true, true},
		{peer{uid: 0}, true, false}, // one who may change something
		{member, false, true},
		{peer{uid: 0}, true, true},
		{reader, false, true},
		{other, true, true},
	} {
		got := true
		if step.enter {
			got = l.enter(step.peer)
		} else {
			l.leave(step.peer)
		}
		if got != step.want {
			t.Errorf("step %d: enter(%+v) = %v, want %v", i, step.peer, got, step.want)
		}
	}
}

// A request of any bytes gets an answer or no answer, and does not end the agent.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{
		"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
		"PUT /v1/containers/web HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"PUT /v1/containers/..%2f..%2fetc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /v1/containers/web/progress?since=x HTTP/1.0\r\n\r\n",
	} {
		f.Add(text)
	}
	s := &server{house: &house{}, store: newStore(storeFile{root: f.TempDir()}), fetcher: &fetcher{}, updates: newUpdates(f.TempDir(), updateParts{}, nil)}
	s.changes = make(chan change)
	handler := s.routes(changers{uid: 1})
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil || r.URL.Path == "/metrics" || strings.HasPrefix(r.URL.Path, "/v1/status") || strings.HasSuffix(r.URL.Path, "/progress") || r.URL.Path == "/v1/userdata" {
			return
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("the client went away"))
		w := &discard{header: http.Header{}}
		handler.ServeHTTP(w, r.WithContext(ctx))
		if w.code != http.StatusOK && w.code != http.StatusForbidden && w.body.Len() > 0 && !json.Valid(w.body.Bytes()) && w.code != http.StatusMovedPermanently && w.code != http.StatusTemporaryRedirect {
			t.Errorf("answer %d is not JSON: %q", w.code, w.body.String())
		}
	})
}

// discard keeps an answer.
type discard struct {
	header http.Header
	body   bytes.Buffer
	code   int
}

func (d *discard) Header() http.Header            { return d.header }
func (d *discard) WriteHeader(code int)           { d.code = code }
func (d *discard) Write(raw []byte) (int, error)  { return d.body.Write(raw) }
func (*discard) SetReadDeadline(time.Time) error  { return nil }
func (*discard) SetWriteDeadline(time.Time) error { return nil }

// addressOf returns the address of a list for a system call.
func addressOf(first *uint32) uintptr { return uintptr(unsafe.Pointer(first)) }
