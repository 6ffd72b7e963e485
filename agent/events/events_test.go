package events

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
)

func at(minute int) time.Time { return time.Date(2026, 3, 1, 2, minute, 0, 0, time.UTC) }

func event(minute int, name string) api.Event {
	return api.Event{At: at(minute), Event: name, Container: "web"}
}

// stored returns a store with a file in a directory of its own.
func stored(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lib", "events.jsonl")
	return New(path, zap.NewNop()), path
}

func names(events []api.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, e.Event)
	}
	return strings.Join(all, " ")
}

// Events are read in the order of their times, by the next agent too, whether they are in
// the file yet or not.
func TestSince(t *testing.T) {
	s, path := stored(t)
	s.Add(event(2, "two"))
	s.Add(event(1, "one"))
	s.write()
	s.Add(event(3, "three"))
	if got := names(s.Since(at(2))); got != "two three" {
		t.Errorf("Since() = %s", got)
	}
	s.write()
	if got := names(New(path, zap.NewNop()).Since(time.Time{})); got != "one two three" {
		t.Errorf("Since() of the next agent = %s", got)
	}
}

// Damage costs the lines that are damaged: a write that was cut short, too.
func TestDamage(t *testing.T) {
	for name, damage := range map[string]string{
		"cut short": `{"at":"2026-03-01T02:0`, "not JSON": "\x00\x00\x00\n", "another JSON": "[]\n{}\n", "nothing": "",
	} {
		t.Run(name, func(t *testing.T) {
			s, path := stored(t)
			s.Add(event(1, "one"))
			s.write()
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(whole, damage...), 0o600); err != nil {
				t.Fatal(err)
			}
			s = New(path, zap.NewNop())
			s.Add(event(2, "two"))
			s.write()
			if got := names(New(path, zap.NewNop()).Since(time.Time{})); got != "one two" {
				t.Errorf("Since() = %s", got)
			}
		})
	}
}

// What is in the place of the file may keep it from being written. The events then stay
// in memory, and are written later.
func TestUnwritable(t *testing.T) {
	s, path := stored(t)
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range maxPending + 10 {
		s.Add(event(i, fmt.Sprintf("event-%d", i)))
	}
	s.write()
	if got := s.Since(time.Time{}); len(got) != maxPending || got[0].Event != "event-10" {
		t.Errorf("Since() = %d events, the first is %+v", len(got), got[0])
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.write()
	if got := New(path, zap.NewNop()).Since(time.Time{}); len(got) != maxPending {
		t.Errorf("the file has %d events, want %d", len(got), maxPending)
	}
}

// The file does not grow, and keeps the newest.
func TestBounded(t *testing.T) {
	s, path := stored(t)
	text := strings.Repeat("x", 3000)
	for i := range 1000 {
		e := event(i, fmt.Sprintf("event-%d", i))
		e.Text = text
		s.Add(e)
		s.write()
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxFile || info.Size() < maxFile/4 {
		t.Errorf("the file has %d bytes, %v, want about %d", info.Size(), err, maxFile)
	}
	got := s.Since(time.Time{})
	if last := got[len(got)-1]; last.Event != "event-999" || len(last.Text) > maxText+10 {
		t.Errorf("last event = %s with %d bytes", last.Event, len(last.Text))
	}
}

// An event has nothing that a terminal obeys.
func TestHostileText(t *testing.T) {
	s, _ := stored(t)
	e := event(1, "pull-failed")
	e.Text, e.By = "\x1b[2J\u202egood", "\x1b[2J"
	s.Add(e)
	if got := s.Since(time.Time{}); len(got) != 1 || got[0].Text != "[2J good" || got[0].By != "[2J" {
		t.Errorf("events = %+v, want them cleaned", got)
	}
}

// A container that fails over and over does not push out everything else.
func TestRepeats(t *testing.T) {
	s, _ := stored(t)
	for second := range 700 {
		s.Add(api.Event{At: at(0).Add(time.Duration(second) * time.Second), Event: "failed", Container: "web", Text: "exit code 1"})
	}
	s.Add(event(1, "ready"))
	got := s.Since(time.Time{})
	if len(got) > 2*burst+1 {
		t.Errorf("kept %d events, want at most %d", len(got), 2*burst+1)
	}
	if last := got[len(got)-burst]; last.Repeats != 598 {
		t.Errorf("repeats = %+v, want 598", last)
	}
}

// A follower gets what comes after the past, each event once. One that does not read is
// dropped, and harms nobody.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := stored(t)
		ctx, cancel := context.WithCancel(t.Context())
		go s.Run(ctx)
		s.Add(event(1, "one"))
		past, next, stop := s.Follow(time.Time{})
		_, sleeping, _ := s.Follow(time.Time{})
		s.Add(event(2, "two"))
		s.Announce(event(3, "three"))
		got := append(past, <-next, <-next)
		if diff := cmp.Diff("one two three", names(got)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		stop()
		for i := range maxUnread + 1 {
			s.Add(event(i, fmt.Sprintf("event-%d", i)))
		}
		for range sleeping {
		}
		for range MaxFollowers {
			s.Follow(time.Time{})
		}
		if _, next, _ := s.Follow(time.Time{}); next != nil {
			t.Error("Follow() beyond the limit has a channel")
		}
		cancel()
		synctest.Wait()
	})
}

// FuzzRead reads whatever is in the file.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"at":"2026-03-01T02:00:00Z","event":"ready","container":"web"}` + "\n"))
	f.Add([]byte("{\n\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "events.jsonl")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		store := file{path: path}
		before := len(store.read())
		if err := store.append([]api.Event{event(1, "added")}); err != nil {
			t.Fatal(err)
		}
		after := store.read()
		if len(after) != before+1 && !bytes.HasSuffix(text, []byte("}")) {
			t.Errorf("read() = %d events after append, want %d", len(after), before+1)
		}
		if after[len(after)-1].Event != "added" {
			t.Errorf("last event = %+v", after[len(after)-1])
		}
	})
}
