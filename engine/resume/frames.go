package resume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Docker multiplexes a container's two streams as frames: the stream's number,
// three zeros, the length in four bytes, big endian, and the payload (Engine
// API, ContainerAttach).
const (
	headerSize = 8
	// bufferSize is the size of one read. This process never holds more of a
	// container's output.
	bufferSize = 64 << 10
)

// The streams that frames name. Docker writes 0, standard input, to the output
// as well.
const (
	frameStdin  = 0
	frameStdout = 1
	frameStderr = 2
	frameError  = 3
)

// ErrInstead means that Docker sent an error in the place of output: it cannot
// read the container's log.
var ErrInstead = errors.New("docker sends an error instead of output")

// frames demultiplexes a stream of frames. It reads as much as is available, up
// to its buffer, and joins consecutive payloads of one stream, so that a busy
// container costs few system calls.
type frames struct {
	// write receives the output: stream 0 is stdout, 1 is stderr.
	write func(stream int, p []byte)
	// whole, unless nil, receives each complete payload that fits into the buffer
	// and returns how many bytes at its beginning are not output. A larger payload
	// is written unchanged.
	whole func(stream int, payload []byte) (int, error)
	// arrived, unless nil, is called after each read: emptied says that nothing
	// more was available.
	arrived func(emptied bool)
	// lines says that the source has no frames but the lines of one stream. Each
	// line is passed to whole.
	lines bool

	// left is how many bytes of the current payload, of stream, are still to be
	// read.
	left   int
	stream int
	// ended says that the source has ended.
	ended bool
}

// raw makes the whole source the output of one stream, without frames.
func (f *frames) raw() *frames {
	f.left = math.MaxInt
	return f
}

// copy returns nil at the end of src, also within a frame.
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

// take writes the output in p, overwriting p, and returns how many bytes it
// consumed. It moves consecutive pieces of one stream together, over the headers
// between them, and writes them at once.
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
// where the next one begins. An end of 0 means that more must be read first.
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
		return 0, 0, fmt.Errorf("%w: %s", ErrInstead, bytes.TrimSpace(p[start:end]))
	default:
		return 0, 0, fmt.Errorf("docker sends output of unknown stream %d", kind)
	}
	f.left = headerSize + size - end
	if fits && f.whole != nil {
		stripped, err := f.whole(f.stream, p[start:end])
		return start + stripped, end, err
	}
	return start, end, nil
}

// nextLine is next for the log of a container with a terminal: it has lines with
// a timestamp each, and no frames. The log stores a long line in pieces, which
// all have the timestamp of the first.
func (f *frames) nextLine(p []byte) (start, end int, err error) {
	end = bytes.IndexByte(p, '\n') + 1
	if end == 0 {
		if len(p) < bufferSize && !f.ended {
			return 0, 0, nil
		}
		end = len(p)
	}
	if size := stampSize(p[:end]); size > 0 {
		if second := bytes.Index(p[size:end], p[:size]); second >= 0 {
			end = size + second
		}
	}
	if end == 0 {
		return 0, 0, nil
	}
	start, err = f.whole(0, p[:end])
	return start, end, err
}
