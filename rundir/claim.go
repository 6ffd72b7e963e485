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

// maxClaim is how much of a claim is read, in bytes: members of the group docker
// may write claims.
const maxClaim = 16 << 10

// ImagesDir contains the claims of programs that need an image.
func (d Dir) ImagesDir() string { return filepath.Join(string(d), "images") }

// Claim keeps housekeeping from removing an image that a program has found or
// pulled, until the program has created a container from it. It is a lock
// (flock(2)) on a file, so the kernel ends it with the program.
type Claim struct {
	file    *os.File
	content Claimed
	size    int // of the file
}

// Claimed is the content of a claim.
type Claimed struct {
	// Ref is the image, as it was declared.
	Ref string `json:"ref"`
	// Need is how many bytes the pull still needs, as far as is known.
	Need int64 `json:"need,omitempty"`
	// Pulled is the ID of the image after a pull.
	Pulled string `json:"pulled,omitempty"`
}

// Claim claims an image. It waits for a removal of images that is under way: an
// image that is found afterwards stays.
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
	c := &Claim{file: file, content: Claimed{Ref: ref}}
	if err := errors.Join(unix.Flock(int(file.Fd()), unix.LOCK_EX), c.write()); err != nil {
		c.Release()
		return nil, fmt.Errorf("claim image %q: %w", ref, err)
	}
	return c, nil
}

// Need records how many bytes the pull still needs. A nil claim does nothing.
func (c *Claim) Need(bytes int64) {
	if c != nil && c.content.Need != bytes {
		c.content.Need = bytes
		_ = c.write() // if it fails, the pull continues all the same
	}
}

// Pulled records the ID of the image that was pulled. The agent then knows that
// dockhost pulled it, and may remove it later. A nil claim does nothing.
func (c *Claim) Pulled(id string) {
	if c != nil {
		c.content.Pulled, c.content.Need = id, 0
		_ = c.write() // if it fails, housekeeping never removes the image
	}
}

// write replaces the content in one write, padded so that the file never gets
// shorter: a concurrent reader must not see an empty claim.
func (c *Claim) write() error {
	raw, err := json.Marshal(c.content)
	if err != nil {
		return err
	}
	raw = append(raw, bytes.Repeat([]byte(" "), max(c.size-len(raw), 0))...)
	c.size = len(raw)
	_, err = c.file.WriteAt(raw, 0)
	return err
}

// Release ends the claim. After a pull its file stays, for the agent. A nil claim
// does nothing.
func (c *Claim) Release() {
	if c == nil {
		return
	}
	if c.content.Pulled == "" {
		_ = os.Remove(c.file.Name())
	}
	_ = c.file.Close()
}

// Claims returns the claims that are held now, and all claims, held or ended,
// that have pulled an image.
func (d Dir) Claims() (now, pulled []Claimed, err error) {
	err = d.eachClaim(func(_ string, claim Claimed, held bool) {
		if held {
			now = append(now, claim)
		}
		if claim.Pulled != "" {
			pulled = append(pulled, claim)
		}
	})
	return now, pulled, err
}

// SweepClaims removes the files of ended claims, after the agent has recorded
// what they pulled. The caller holds the lock of [Dir.LockImages].
func (d Dir) SweepClaims() error {
	var errs []error
	err := d.eachClaim(func(path string, _ Claimed, held bool) {
		if !held {
			errs = append(errs, remove(path))
		}
	})
	return errors.Join(append(errs, err)...)
}

// eachClaim calls visit for each claim; held says whether its program still holds
// it.
func (d Dir) eachClaim(visit func(path string, claim Claimed, held bool)) error {
	entries, err := os.ReadDir(d.ImagesDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read claims of images: %w", err)
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !strings.HasPrefix(entry.Name(), "claim-") {
			continue
		}
		path := filepath.Join(d.ImagesDir(), entry.Name())
		claim, held, err := readClaim(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("read claims of images: %w", err)
		default:
			visit(path, claim, held)
		}
	}
	return nil
}

func readClaim(path string) (claim Claimed, held bool, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return claim, false, err
	}
	defer file.Close()
	err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	held = errors.Is(err, unix.EWOULDBLOCK)
	if err != nil && !held {
		return claim, false, err
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxClaim))
	if err != nil {
		return claim, held, err
	}
	_ = json.Unmarshal(raw, &claim) // a half written claim counts as an empty one
	return claim, held, nil
}

// LockImages keeps programs from claiming images while images are removed. Claims
// that are held already remain.
func (d Dir) LockImages(ctx context.Context) (unlock func(), err error) {
	unlock, err = d.lockImages(ctx, unix.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("lock images: %w", err)
	}
	return unlock, nil
}

// LockPause is the time between two tries to take the lock. A program that locks
// repeatedly must leave twice as much time between its locks.
const LockPause = 5 * time.Millisecond

// lockImages locks the images.
func (d Dir) lockImages(ctx context.Context, how int) (unlock func(), err error) {
	if err := os.MkdirAll(d.ImagesDir(), 0o700); err != nil {
		return nil, err
	}
	return lockFile(ctx, filepath.Join(d.ImagesDir(), "lock"), how)
}

// lockFile locks a file, which is made if it does not exist. Read permission is
// enough to lock it, and the group of the directory has that.
func lockFile(ctx context.Context, path string, how int) (unlock func(), err error) {
	file, err := openLock(path)
	if err != nil {
		return nil, err
	}
	ticker := time.NewTicker(LockPause)
	defer ticker.Stop()
	for {
		err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil && !isAt(file, path):
			// Someone removed the file while this program waited for it: the next
			// program would lock another one.
			_ = file.Close()
			if file, err = openLock(path); err != nil {
				return nil, err
			}
			continue
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

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o640) //nolint:gosec // G302: the group must be able to lock it
}

// isAt says whether the path still names an open file.
func isAt(file *os.File, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}
