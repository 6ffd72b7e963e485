package resume

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/docker/docker/pkg/stdcopy"
)

// collected is what frames wrote, per stream.
type collected struct {
	text   [2]bytes.Buffer
	writes int
}

func (c *collected) write(stream int, p []byte) {
	c.writes++
	c.text[stream].Write(p)
}

func frame(kind stdcopy.StdType, payload string) string {
	var b bytes.Buffer
	_, _ = stdcopy.NewStdWriter(&b, kind).Write([]byte(payload))
	return b.String()
}

func TestFrames(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 3*bufferSize/16)
	tests := []struct {
		name, source, stdout, stderr string
		writes                       int
	}{
		{"nothing", "", "", "", 0},
		{"one payload", frame(stdcopy.Stdout, "one\n"), "one\n", "", 1},
		{"payloads joined", frame(stdcopy.Stdout, "one\n") + frame(stdcopy.Stdout, "") + frame(stdcopy.Stdout, "two\n"), "one\ntwo\n", "", 1},
		{"both streams", frame(stdcopy.Stdout, "a") + frame(stdcopy.Stderr, "b") + frame(stdcopy.Stderr, "c") + frame(stdcopy.Stdin, "d"), "ad", "bc", 3},
		{"larger than the buffer", frame(stdcopy.Stderr, large) + frame(stdcopy.Stdout, "x"), "x", large, 5},
		{"cut in a payload", frame(stdcopy.Stdout, "one\n")[:10], "on", "", 1},
		{"cut in a header", frame(stdcopy.Stdout, "one\n") + "\x01\x00\x00", "one\n", "", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got collected
			if err := (&frames{write: got.write}).copy(strings.NewReader(test.source)); err != nil {
				t.Errorf("copy() = %v", err)
			}
			if got.text[0].String() != test.stdout || got.text[1].String() != test.stderr || got.writes != test.writes {
				t.Errorf("copy() wrote %.80q and %.80q in %d writes, want %.80q and %.80q in %d",
					&got.text[0], &got.text[1], got.writes, test.stdout, test.stderr, test.writes)
			}
		})
	}
}

func TestFramesFail(t *testing.T) {
	broken := errors.New("connection reset")
	tests := []struct {
		name   string
		source io.Reader
		want   string
	}{
		{"error from Docker", strings.NewReader(frame(stdcopy.Stdout, "one\n") + frame(stdcopy.Systemerr, "it is gone\n")), "it is gone"},
		{"unknown stream", strings.NewReader(frame(stdcopy.Stdout, "one\n") + frame(9, "x")), "unknown stream 9"},
		{"connection lost", io.MultiReader(strings.NewReader(frame(stdcopy.Stdout, "one\n")), iotest.ErrReader(broken)), "connection reset"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got collected
			err := (&frames{write: got.write}).copy(test.source)
			if err == nil || !strings.Contains(err.Error(), test.want) || got.text[0].String() != "one\n" {
				t.Errorf("copy() = %v after %q, want %q after the output before it", err, &got.text[0], test.want)
			}
		})
	}
}

// whole gets complete payloads, also when they arrive in pieces.
func TestFramesWhole(t *testing.T) {
	var got collected
	f := &frames{write: got.write, whole: func(_ int, payload []byte) (int, error) {
		if string(payload) == "drop" {
			return len(payload), nil
		}
		return bytes.IndexByte(payload, ' ') + 1, nil
	}}
	source := frame(stdcopy.Stdout, "1 one\n") + frame(stdcopy.Stdout, "drop") + frame(stdcopy.Stdout, "2 two\n") + frame(stdcopy.Stderr, "3 three\n")
	if err := f.copy(iotest.OneByteReader(strings.NewReader(source))); err != nil {
		t.Fatal(err)
	}
	if out, errs := got.text[0].String(), got.text[1].String(); out != "one\ntwo\n" || errs != "three\n" {
		t.Errorf("copy() wrote %q and %q", out, errs)
	}
}

// Any source, read in any pieces, gives what Docker's own demultiplexer gives. Of
// a truncated frame it may give more.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(frame(stdcopy.Stdout, "one\n")+frame(stdcopy.Stderr, "two\n")), uint16(3))
	f.Add([]byte(frame(stdcopy.Stdout, "one\n")+frame(stdcopy.Stdout, "two\n")+frame(stdcopy.Systemerr, "no")), uint16(64))
	f.Add([]byte(frame(stdcopy.Stderr, strings.Repeat("x", 70000))), uint16(1000))
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 'x'}, uint16(2))
	f.Fuzz(func(t *testing.T, source []byte, size uint16) {
		if len(source) > 4 && hugeFrame(source) {
			t.Skip("stdcopy would allocate that much memory")
		}
		var out, errs bytes.Buffer
		_, wantErr := stdcopy.StdCopy(&out, &errs, bytes.NewReader(source))
		var got collected
		err := (&frames{write: got.write}).copy(pieces{bytes.NewReader(source), int(size) + 1})
		if (err == nil) != (wantErr == nil) && complete(source) {
			t.Errorf("copy() = %v, stdcopy returns %v", err, wantErr)
		}
		for i, want := range []*bytes.Buffer{&out, &errs} {
			if !bytes.HasPrefix(got.text[i].Bytes(), want.Bytes()) {
				t.Errorf("stream %d is %q, stdcopy gives %q", i, &got.text[i], want)
			}
		}
		if extra := got.text[0].Len() + got.text[1].Len() - out.Len() - errs.Len(); extra > 0 && complete(source) {
			t.Errorf("copy() wrote %d bytes more than stdcopy", extra)
		}
	})
}

// pieces reads at most n bytes at a time.
type pieces struct {
	io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(p.n, len(b))]) }

// sizes calls f for each frame with its size and with how many bytes are left.
func sizes(source []byte, f func(size, left int)) {
	for len(source) >= headerSize {
		size := int(source[4])<<24 | int(source[5])<<16 | int(source[6])<<8 | int(source[7])
		f(size, len(source)-headerSize)
		source = source[headerSize+min(size, len(source)-headerSize):]
	}
}

func hugeFrame(source []byte) bool {
	huge := false
	sizes(source, func(size, _ int) { huge = huge || size > 1<<20 })
	return huge
}

func complete(source []byte) bool {
	whole := true
	sizes(source, func(size, left int) { whole = whole && size <= left })
	return whole
}
