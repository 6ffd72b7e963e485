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
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/internal/cure"
)

// PullRequest is one image to pull.
type PullRequest struct {
	// Ref is the image reference. Without a tag or digest it means :latest.
	Ref string
	// Platform is "os/arch[/variant]", or "" for the Engine's platform.
	Platform string
	// StallTimeout ends the pull with [ErrStalled] if the Engine reports no progress
	// for this time while it downloads layers.
	StallTimeout time.Duration
	// LoggedIn is called once the login is known, before the Engine is asked; nil if
	// the caller need not know.
	LoggedIn func()
}

// Progress is the progress of a pull.
type Progress struct {
	// Layers is the number of layers known so far, LayersDone the number of those
	// that the host has.
	Layers, LayersDone int
	// Bytes is the known size of the layers to download, BytesDone the part of it that
	// has arrived.
	Bytes, BytesDone int64
	// Downloaded says that all layers have arrived, and that the Engine only
	// unpacks.
	Downloaded bool
}

// unpackedFactor is the usual ratio of a layer's size to its compressed size.
const unpackedFactor = 2

// Need estimates how much disk space the rest of the pull takes, in bytes. The Engine
// keeps a compressed layer until it is unpacked, and reports the sizes only of
// layers whose download has begun.
func (p Progress) Need() int64 { return max(p.Bytes-p.BytesDone, 0) * (1 + unpackedFactor) }

// Download returns the part of [Progress.Need] that is certain: what is downloaded.
func Download(need int64) int64 { return need / (1 + unpackedFactor) }

// Pull pulls an image and calls progress for each message of the Engine's stream, in
// the caller's goroutine. It returns an error inside the stream as its own. Errors
// name the login that was used.
func (c *Client) Pull(ctx context.Context, req PullRequest, progress func(Progress)) error {
	named, err := reference.ParseNormalizedNamed(req.Ref)
	if err != nil {
		return fmt.Errorf("pull %q: %w", req.Ref, err)
	}
	login, err := c.loginFor(ctx, named)
	if err != nil {
		return cure.By(fmt.Errorf("pull %q: %w", req.Ref, err), c.cures(named)...)
	}
	if req.LoggedIn != nil {
		req.LoggedIn()
	}
	size := int64(0)
	err = c.pull(ctx, req, login, func(p Progress) {
		size = p.Bytes
		progress(p)
	})
	if err != nil {
		return cure.By(fmt.Errorf("pull %q %s: %w%s", req.Ref, login.who(), err, c.pullCure(ctx, err, size)), c.cures(named)...)
	}
	return nil
}

func (c *Client) pull(ctx context.Context, req PullRequest, login login, progress func(Progress)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(req.StallTimeout, func() {
		cancel(classified{fmt.Errorf("no byte arrived for %s (is the registry up and reachable?)", req.StallTimeout), ErrStalled})
	})
	defer watch.Stop()

	stream, err := c.api().ImagePull(ctx, req.Ref, image.PullOptions{RegistryAuth: login.encoded, Platform: req.Platform})
	if err != nil {
		return causeOr(ctx, translate(err))
	}
	defer stream.Close()
	layers := newLayers()
	err = readMessages(stream, func(m jsonmessage.JSONMessage) {
		moved := layers.observe(m)
		if layers.downloaded() {
			// Some Engines report no progress while they unpack.
			watch.Stop()
		} else if moved {
			watch.Reset(req.StallTimeout)
		}
		if moved {
			progress(layers.progress())
		}
	})
	if err == nil && layers.finish() {
		progress(layers.progress())
	}
	return causeOr(ctx, err)
}

// readMessages calls observe for each message. It returns the error that the stream
// contains, if any.
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
			// The stream contains errors only as text. This one is the kernel's.
			return classified{m.Error, ErrNoSpace}
		case m.Error != nil:
			return m.Error
		}
		observe(m)
	}
}

// causeOr returns the reason why ctx was cancelled, otherwise err.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// layers sums up the messages of a pull. The Engine sends a message for each change of
// a layer, with the layer's short id and a status in English. These texts are the
// protocol (moby: distribution/pull_v2.go).
type layers struct {
	byID map[string]layer
}

type layer struct {
	// total is the size that the registry claims, at most maxLayer.
	total, current   int64
	downloaded, done bool
	// unpacked is how far the Engine has unpacked the layer.
	unpacked int64
}

// maxLayer bounds the size that a registry may claim for a layer, and the sum of all layers,
// so that it does not overflow.
const maxLayer = 1 << 50

func newLayers() *layers { return &layers{byID: map[string]layer{}} }

// observe takes note of a message. moved says whether it tells of a new byte or state of
// a layer: the store of containerd repeats "Downloading" while nothing arrives.
func (l *layers) observe(m jsonmessage.JSONMessage) (moved bool) {
	if m.ID == "" {
		return len(l.byID) == 0 // the first messages, before any layer
	}
	at, known := l.byID[m.ID]
	before := at
	switch m.Status {
	case "Pulling fs layer", "Waiting", "Verifying Checksum":
	case "Extracting":
		at.downloaded = true
		if m.Progress != nil {
			at.unpacked = m.Progress.Current
		}
	case "Downloading":
		if m.Progress != nil {
			at.current, at.total = believed(m.Progress.Current), max(at.total, believed(m.Progress.Total))
		}
	case "Download complete":
		at.current, at.downloaded = at.total, true
	case "Pull complete", "Already exists":
		at.current, at.downloaded, at.done = at.total, true, true
	default:
		// "Pulling from library/nginx" has the tag as its ID.
		return len(l.byID) == 0
	}
	l.byID[m.ID] = at
	return !known || at != before
}

// finish marks every layer as done, as after a pull that succeeded. moved says whether one
// was not: the store of containerd looks at its layers every 100 ms, and not at all if it
// has the content of them all, so it may tell that they begin and not that they end.
func (l *layers) finish() (moved bool) {
	for id, at := range l.byID {
		if !at.done {
			at.current, at.downloaded, at.done = at.total, true, true
			l.byID[id] = at
			moved = true
		}
	}
	return moved
}

// believed returns a size that the registry claims, within its bounds.
func believed(size int64) int64 { return min(max(size, 0), maxLayer) }

// downloaded says whether every known layer has arrived.
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
		p.Bytes = min(p.Bytes+at.total, maxLayer)
		p.BytesDone = min(p.BytesDone+at.current, maxLayer)
		if at.done {
			p.LayersDone++
		}
	}
	return p
}
