package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// PullRequest is one image to fetch.
type PullRequest struct {
	// Ref is the image; without a tag or digest it is :latest.
	Ref string
	// Platform is "os/arch[/variant]", or "" for the Engine's own.
	Platform string
	// StallTimeout ends the pull with [ErrStalled] when nothing was heard
	// of it for so long while layers are still to be downloaded.
	StallTimeout time.Duration
}

// Progress is how far a pull is.
type Progress struct {
	// Layers is how many layers the image has as far as is known, LayersDone
	// how many of them the host has.
	Layers, LayersDone int
	// Bytes is the size of the layers that are being downloaded, as far as
	// is known, BytesDone what has arrived of them.
	Bytes, BytesDone int64
	// Downloaded says that all of them have arrived, so that what goes on is the
	// unpacking.
	Downloaded bool
}

// unpackedFactor is how much larger a layer is than what is downloaded of it,
// as a rule.
const unpackedFactor = 2

// Need is how much room what is still to come takes, by rule of thumb: the
// Engine keeps a layer as it came until it is unpacked, and tells sizes only of
// those whose download has begun.
func (p Progress) Need() int64 { return (p.Bytes - p.BytesDone) * (1 + unpackedFactor) }

// Pull fetches an image and calls progress at each message of the Engine's
// stream, from the goroutine that called Pull. An error inside the stream is
// an error of Pull, and says as whom the registry was asked.
func (c *Client) Pull(ctx context.Context, req PullRequest, progress func(Progress)) error {
	named, err := reference.ParseNormalizedNamed(req.Ref)
	if err != nil {
		return fmt.Errorf("pull %q: %w", req.Ref, err)
	}
	login, err := c.loginFor(ctx, named)
	if err != nil {
		return fmt.Errorf("pull %q: %w", req.Ref, err)
	}
	if err := c.pull(ctx, req, login, progress); err != nil {
		return fmt.Errorf("pull %q %s: %w%s", req.Ref, login.who(), err, c.pullCure(ctx, err))
	}
	return nil
}

// lowSpace is below what a file system counts as the likely cause of a pull's
// failure.
const lowSpace = 1 << 30

// pullCure says what to do about a pull that failed, as far as the error's
// kind and the host tell.
func (c *Client) pullCure(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, ErrStalled), errors.Is(err, ErrUnreachable), ctx.Err() != nil:
		return ""
	case errors.Is(err, ErrNotFound):
		return " (check the image's name and tag)"
	}
	info, infoErr := c.Info(ctx)
	var fs unix.Statfs_t
	if infoErr == nil && unix.Statfs(info.Root, &fs) == nil {
		if free := fs.Bavail * uint64(fs.Bsize); free < lowSpace || errors.Is(err, ErrNoSpace) { //nolint:gosec // a block size is positive
			return fmt.Sprintf(" (%s has %s left: what holds the space, and what may go: dockhostctl gc --dry-run)", info.Root, units.HumanSize(float64(free)))
		}
	}
	if infoErr != nil || errors.Is(err, ErrNoSpace) {
		return ""
	}
	return " (check that the registry is up and that the login is right)"
}

func (c *Client) pull(ctx context.Context, req PullRequest, login login, progress func(Progress)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(req.StallTimeout, func() {
		cancel(classified{fmt.Errorf("no byte arrived for %s (is the registry up and reachable?)", req.StallTimeout), ErrStalled})
	})
	defer watch.Stop()

	stream, err := c.api.ImagePull(ctx, req.Ref, image.PullOptions{RegistryAuth: login.encoded, Platform: req.Platform})
	if err != nil {
		return causeOr(ctx, translate(err))
	}
	defer stream.Close()
	layers := newLayers()
	err = readMessages(stream, func(m jsonmessage.JSONMessage) {
		layers.observe(m)
		if layers.downloaded() {
			// Unpacking is not told byte by byte by every Engine.
			watch.Stop()
		} else {
			watch.Reset(req.StallTimeout)
		}
		progress(layers.progress())
	})
	return causeOr(ctx, err)
}

// readMessages calls observe for each message and returns the error that the
// stream carries, if any.
func readMessages(r io.Reader, observe func(jsonmessage.JSONMessage)) error {
	decoder := json.NewDecoder(r)
	for {
		var m jsonmessage.JSONMessage
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the progress of the pull: %w", err)
		case m.Error != nil && strings.Contains(m.Error.Message, unix.ENOSPC.Error()):
			// The stream has texts alone; this one is the kernel's.
			return classified{m.Error, ErrNoSpace}
		case m.Error != nil:
			return m.Error
		}
		observe(m)
	}
}

// causeOr prefers the reason for which ctx was cancelled over err.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// layers adds up the messages of a pull. The Engine sends one line for each
// layer and change, with the layer's short id and a status in English: the
// statuses are the protocol here (moby: distribution/pull_v2.go).
type layers struct {
	byID map[string]layer
}

type layer struct {
	total, current   int64
	downloaded, done bool
}

func newLayers() *layers { return &layers{byID: map[string]layer{}} }

func (l *layers) observe(m jsonmessage.JSONMessage) {
	if m.ID == "" {
		return
	}
	at := l.byID[m.ID]
	switch m.Status {
	case "Pulling fs layer", "Waiting", "Verifying Checksum", "Extracting":
		at.downloaded = at.downloaded || m.Status == "Extracting"
	case "Downloading":
		if m.Progress != nil {
			at.current, at.total = m.Progress.Current, max(at.total, m.Progress.Total)
		}
	case "Download complete":
		at.current, at.downloaded = at.total, true
	case "Pull complete", "Already exists":
		at.current, at.downloaded, at.done = at.total, true, true
	default:
		// "Pulling from library/nginx", whose ID is the tag.
		return
	}
	l.byID[m.ID] = at
}

// downloaded says whether every layer that is known has arrived.
func (l *layers) downloaded() bool {
	for _, at := range l.byID {
		if !at.downloaded {
			return false
		}
	}
	return len(l.byID) > 0
}

func (l *layers) progress() Progress {
	p := Progress{Layers: len(l.byID), Downloaded: l.downloaded()}
	for _, at := range l.byID {
		p.Bytes += at.total
		p.BytesDone += at.current
		if at.done {
			p.LayersDone++
		}
	}
	return p
}
