package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Docker puts a container's two streams into one as frames: the stream's
// number, three zeros, the length in four bytes, big endian, and the payload
// (Engine API, ContainerAttach).
const (
	headerSize = 8
	// bufferSize is what is read at once, and so all of a container's output
	// that is in this process.
	bufferSize = 64 << 10
)

// The streams that frames name. Docker takes 0, its standard input, for output
// too.
const (
	frameStdin  = 0
	frameStdout = 1
	frameStderr = 2
	frameError  = 3
)

// frames takes a stream of frames apart. It reads as much as there is, up to
// its buffer, and joins what follows each other in one stream, so that a busy
// container costs few system calls.
type frames struct {
	// write gets the output: stream 0 is stdout, 1 is stderr.
	write func(stream int, p []byte)
	// whole, unless nil, is shown each payload that fits into the buffer, all of
	// it, and returns how many bytes at its beginning are not output. A larger
	// one is output as it is.
	whole func(stream int, payload []byte) (int, error)
	// arrived, unless nil, is told of each read: whether it emptied the source.
	arrived func(emptied bool)
	// lines says that there are no frames, but lines of one stream, each of
	// which is shown to whole.
	lines bool

	// left is what is still to come of the payload that was begun, of stream.
	left   int
	stream int
	// ended says that no more comes.
	ended bool
}

// raw takes what comes for one stream, without frames.
func (f *frames) raw() *frames {
	f.left = math.MaxInt
	return f
}

// copy returns nil at the end of src, also amid a frame.
func (f *frames) copy(src io.Reader) error {
	buf, held := make([]byte, bufferSize), 0
	for {
		n, err := src.Read(buf[held:])
		held += n
		f.ended = errors.Is(err, io.EOF)
		if n > 0 && f.arrived != nil {
			f.arrived(held < len(buf))
		}
		used, takeErr := f.take(buf[:held])
		if takeErr != nil {
			return takeErr
		}
		held = copy(buf, buf[used:held])
		switch {
		case f.ended:
			return nil
		case err != nil:
			return err
		}
	}
}

// take relays what p has, overwriting it, and returns how much it took. Pieces
// of one stream that follow each other are moved together, over the headers
// between them, and written at once.
func (f *frames) take(p []byte) (int, error) {
	var stream, from, to, taken int
	flush := func() {
		if from < to {
			f.write(stream, p[from:to])
		}
	}
	for {
		next := f.next
		if f.lines {
			next = f.nextLine
		}
		start, end, err := next(p[taken:])
		if err != nil || end == 0 {
			flush()
			return taken, err
		}
		piece := p[taken+start : taken+end]
		if f.stream != stream || from == to {
			flush()
			stream, from, to = f.stream, taken+start, taken+end
		} else {
			to += copy(p[to:], piece)
		}
		taken += end
	}
}

// next finds the next piece of output, of f.stream, in p: from start to end,
// where the next one begins. An end of 0 is that there must come more first.
func (f *frames) next(p []byte) (start, end int, err error) {
	if f.left > 0 {
		end = min(f.left, len(p))
		f.left -= end
		return 0, end, nil
	}
	if len(p) < headerSize {
		return 0, 0, nil
	}
	kind, size := p[0], int(binary.BigEndian.Uint32(p[4:]))
	fits := headerSize+size <= bufferSize
	if fits && len(p) < headerSize+size && (kind == frameError || f.whole != nil) {
		return 0, 0, nil
	}
	start, end = headerSize, min(headerSize+size, len(p))
	switch kind {
	case frameStdin, frameStdout:
		f.stream = 0
	case frameStderr:
		f.stream = 1
	case frameError:
		return 0, 0, fmt.Errorf("docker says instead of output: %s", bytes.TrimSpace(p[start:end]))
	default:
		return 0, 0, fmt.Errorf("docker sends output of an unknown stream, %d", kind)
	}
	f.left = headerSize + size - end
	if fits && f.whole != nil {
		stripped, err := f.whole(f.stream, p[start:end])
		return start + stripped, end, err
	}
	return start, end, nil
}

// nextLine is next where there are lines with a timestamp each and no frames:
// a container's log, when it has a terminal. Of a long line, which the log has
// in pieces, each piece has the timestamp of the first.
func (f *frames) nextLine(p []byte) (start, end int, err error) {
	end = bytes.IndexByte(p, '\n') + 1
	if end == 0 {
		if len(p) < bufferSize && !f.ended {
			return 0, 0, nil
		}
		end = len(p)
	}
	if size := stampSize(p[:end]); size > 0 {
		if again := bytes.Index(p[size:end], p[:size]); again >= 0 {
			end = size + again
		}
	}
	if end == 0 {
		return 0, 0, nil
	}
	start, err = f.whole(0, p[:end])
	return start, end, err
}
