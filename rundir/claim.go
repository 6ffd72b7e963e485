package rundir

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxClaim bounds what is read of a claim: members of the group docker may write
// them.
const maxClaim = 16 << 10

// ImagesDir is where programs that need an image say so.
func (d Dir) ImagesDir() string { return filepath.Join(string(d), "images") }

// Claim says that a program is about to use an image, so that nobody removes it
// between its being found, or pulled, and its container's being made. The kernel
// ends it with the program: it is a lock (flock(2)) on a file.
type Claim struct {
	file *os.File
	said Claimed
	size int // of what was written
}

// Claimed is what a claim says.
type Claimed struct {
	// Ref is the image, as it was declared.
	Ref string `json:"ref"`
	// Need is how many bytes are still to come, as far as is known.
	Need int64 `json:"need,omitempty"`
	// Pulled is the ID of the image once it was pulled.
	Pulled string `json:"pulled,omitempty"`
}

// Claim claims an image. It waits for a removal that is going on, so that whoever
// looks for the image afterwards finds what stays.
func (d Dir) Claim(ctx context.Context, ref string) (*Claim, error) {
	unlock, err := d.lockImages(ctx, unix.LOCK_SH)
	if err != nil {
		return nil, fmt.Errorf("claim image %q: %w", ref, err)
	}
	defer unlock()
	file, err := os.CreateTemp(d.ImagesDir(), "claim-")
	if err != nil {
		return nil, fmt.Errorf("claim image %q: %w", ref, err)
	}
	c := &Claim{file: file, said: Claimed{Ref: ref}}
	if err := errors.Join(unix.Flock(int(file.Fd()), unix.LOCK_EX), c.write()); err != nil {
		c.Release()
		return nil, fmt.Errorf("claim image %q: %w", ref, err)
	}
	return c, nil
}

// Need says how many bytes are still to come. A nil claim says nothing.
func (c *Claim) Need(bytes int64) {
	if c != nil && c.said.Need != bytes {
		c.said.Need = bytes
		_ = c.write() // without, the pull goes on as before
	}
}

// Pulled says that the image was pulled, and has this ID. The agent remembers
// that dockhost brought it.
func (c *Claim) Pulled(id string) {
	if c != nil {
		c.said.Pulled, c.said.Need = id, 0
		_ = c.write() // without, the image counts as somebody else's, and stays
	}
}

// write replaces what the claim says, in one piece: whoever reads it meanwhile
// must not take it for a claim of nothing. So it never gets shorter.
func (c *Claim) write() error {
	raw, err := json.Marshal(c.said)
	if err != nil {
		return err
	}
	raw = append(raw, bytes.Repeat([]byte(" "), max(c.size-len(raw), 0))...)
	c.size = len(raw)
	_, err = c.file.WriteAt(raw, 0)
	return err
}

// Release ends the claim. One that pulled leaves a note for the agent.
func (c *Claim) Release() {
	if c == nil {
		return
	}
	if c.said.Pulled == "" {
		_ = os.Remove(c.file.Name())
	}
	_ = c.file.Close()
}

// Claims returns what is claimed now, and what was pulled by claims that have
// ended.
func (d Dir) Claims() (now, pulled []Claimed, err error) {
	err = d.eachClaim(func(_ string, said Claimed, held bool) {
		if held {
			now = append(now, said)
		}
		if said.Pulled != "" {
			pulled = append(pulled, said)
		}
	})
	return now, pulled, err
}

// SweepClaims removes what claims that have ended have left, once what was
// pulled by them is remembered. It is for who has locked the images.
func (d Dir) SweepClaims() error {
	var errs []error
	err := d.eachClaim(func(path string, _ Claimed, held bool) {
		if !held {
			errs = append(errs, remove(path))
		}
	})
	return errors.Join(append(errs, err)...)
}

func (d Dir) eachClaim(tell func(path string, said Claimed, held bool)) error {
	entries, err := os.ReadDir(d.ImagesDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read claims of images: %w", err)
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !strings.HasPrefix(entry.Name(), "claim-") {
			continue
		}
		path := filepath.Join(d.ImagesDir(), entry.Name())
		said, held, err := readClaim(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("read claims of images: %w", err)
		default:
			tell(path, said, held)
		}
	}
	return nil
}

func readClaim(path string) (said Claimed, held bool, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return said, false, err
	}
	defer file.Close()
	err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	held = errors.Is(err, unix.EWOULDBLOCK)
	if err != nil && !held {
		return said, false, err
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxClaim))
	if err != nil {
		return said, held, err
	}
	_ = json.Unmarshal(raw, &said) // a half written one says nothing
	return said, held, nil
}

// LockImages keeps others from claiming images, for as long as one is removed.
// Claims that are held already stay.
func (d Dir) LockImages(ctx context.Context) (unlock func(), err error) {
	unlock, err = d.lockImages(ctx, unix.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("lock images: %w", err)
	}
	return unlock, nil
}

// LockPause is how long to wait before a lock is asked for again. Who locks and
// unlocks in a row leaves twice as much time in between.
const LockPause = 5 * time.Millisecond

// lockImages locks a file that is never removed. Who may only read it may lock it:
// it has the group of its directory.
func (d Dir) lockImages(ctx context.Context, how int) (unlock func(), err error) {
	if err := os.MkdirAll(d.ImagesDir(), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(d.ImagesDir(), "lock"), os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o640) //nolint:gosec // G302: its group is to lock it
	if err != nil {
		return nil, err
	}
	ticker := time.NewTicker(LockPause)
	defer ticker.Stop()
	for {
		err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = file.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			_ = file.Close()
			return nil, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			_ = file.Close()
			return nil, context.Cause(ctx)
		}
	}
}
