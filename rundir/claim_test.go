package rundir

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClaim(t *testing.T) {
	dir := Dir(t.TempDir())
	claims := func(wantNow, wantPulled []Claimed) {
		t.Helper()
		now, pulled, err := dir.Claims()
		if diff := cmp.Diff(wantNow, now) + cmp.Diff(wantPulled, pulled); diff != "" || err != nil {
			t.Errorf("Claims() error = %v (-want +got):\n%s", err, diff)
		}
	}
	claims(nil, nil)
	first, err := dir.Claim(t.Context(), "app:1")
	if err != nil {
		t.Fatal(err)
	}
	first.Need(1000)
	first.Need(7)
	claims([]Claimed{{Ref: "app:1", Need: 7}}, nil)
	first.Pulled("sha256:1")
	claims([]Claimed{{Ref: "app:1", Pulled: "sha256:1"}}, []Claimed{{Ref: "app:1", Pulled: "sha256:1"}})
	if err := dir.SweepClaims(); err != nil {
		t.Error(err)
	}
	claims([]Claimed{{Ref: "app:1", Pulled: "sha256:1"}}, []Claimed{{Ref: "app:1", Pulled: "sha256:1"}})
	first.Release()
	claims(nil, []Claimed{{Ref: "app:1", Pulled: "sha256:1"}})
	if err := dir.SweepClaims(); err != nil {
		t.Error(err)
	}
	claims(nil, nil)

	second, err := dir.Claim(t.Context(), "app:2")
	if err != nil {
		t.Fatal(err)
	}
	second.Release()
	claims(nil, nil)
	var none *Claim
	none.Need(1)
	none.Pulled("x")
	none.Release()
}

// A claim waits for a removal of images, and a held claim does not block removals
// of other images.
func TestClaimWaits(t *testing.T) {
	dir := Dir(t.TempDir())
	held, err := dir.Claim(t.Context(), "app:1")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	unlock, err := dir.LockImages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if claim, err := dir.Claim(ctx, "app:2"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Claim() while images are locked = %v, %v", claim, err)
	}
	unlock()
	claim, err := dir.Claim(t.Context(), "app:2")
	if err != nil {
		t.Fatal(err)
	}
	claim.Release()
}

// A killed program holds no claim any more; the record of its pull stays.
func TestClaimOfTheDead(t *testing.T) {
	if ref := os.Getenv("TEST_CLAIM"); ref != "" {
		claim, err := Dir(".").Claim(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		claim.Pulled("sha256:1")
		_, _ = os.Stdout.WriteString("claimed\n")
		select {}
	}
	dir := Dir(t.TempDir())
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestClaimOfTheDead$")
	command.Env, command.Dir = append(os.Environ(), "TEST_CLAIM=app:1"), string(dir)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if now, _, err := dir.Claims(); len(now) != 1 || err != nil {
		t.Errorf("Claims() = %v, %v, want the other program's", now, err)
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if now, pulled, err := dir.Claims(); len(now) != 0 || len(pulled) != 1 || err != nil {
		t.Errorf("Claims() after its end = %v, %v, %v, want only what it pulled", now, pulled, err)
	}
}

// Someone removes the lock while a program waits for it: the program locks the file
// that the next one locks, too.
func TestRemovedLockIsMadeAgain(t *testing.T) {
	dir := Dir(t.TempDir())
	unlock, err := dir.LockNetworks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan func(), 1)
	go func() {
		unlock, err := dir.LockNetworks(t.Context())
		if err != nil {
			t.Error(err)
		}
		waited <- unlock
	}()
	time.Sleep(10 * LockPause) // it waits; if it does not yet, the test passes without a check
	if err := os.Remove(filepath.Join(string(dir), "networks.lock")); err != nil {
		t.Fatal(err)
	}
	unlock()
	second := <-waited
	defer second()
	ctx, cancel := context.WithTimeout(t.Context(), 10*LockPause)
	defer cancel()
	if third, err := dir.LockNetworks(ctx); err == nil {
		third()
		t.Error("a third program has locked while the second one holds the lock")
	}
}
