package cloudinit

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"unicode"
)

// Limits of user data. All levels of unpacking count against MaxSize together.
const (
	maxParts    = 1000
	maxLevels   = 10
	maxIncludes = 32
)

var errTooLarge = fmt.Errorf("larger than %d MiB once unpacked", MaxSize>>20)

// budget is how many bytes unpacking may still produce.
type budget struct{ left int }

func (b *budget) spend(n int) error {
	if n > b.left {
		b.left = 0
		return errTooLarge
	}
	b.left -= n
	return nil
}

// read reads all of something that was packed.
func (b *budget) read(packed io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(packed, int64(b.left)+1))
	if tooLarge := b.spend(len(text)); tooLarge != nil {
		return nil, tooLarge
	}
	return text, err
}

func isGzip(raw []byte) bool { return bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) }

// gunzip unpacks gzip.
func (b *budget) gunzip(raw []byte) ([]byte, error) {
	var text []byte
	packed, err := gzip.NewReader(bytes.NewReader(raw))
	if err == nil {
		text, err = b.read(packed)
	}
	if errors.Is(err, errTooLarge) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("damaged gzip (pack it again): %w", err)
	}
	return text, nil
}

// unbase64 decodes base64 whatever its lines look like.
func (b *budget) unbase64(raw []byte) ([]byte, error) {
	packed := bytes.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '=' {
			return -1
		}
		return r
	}, raw)
	if err := b.spend(base64.RawStdEncoding.DecodedLen(len(packed))); err != nil {
		return nil, err
	}
	text, err := base64.RawStdEncoding.DecodeString(string(packed))
	if err != nil {
		return nil, errors.New("damaged base64 (encode it again)")
	}
	return text, nil
}

// decode undoes a Content-Transfer-Encoding. plain is true when
// the body was not encoded, so that its lines are still those of the message.
func (b *budget) decode(raw []byte, encoding string) (text []byte, plain bool, err error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		text, err = b.unbase64(raw)
		return text, false, err
	case "quoted-printable":
		text, err = b.read(quotedprintable.NewReader(bytes.NewReader(raw)))
		if err != nil && !errors.Is(err, errTooLarge) {
			err = errors.New("damaged quoted-printable (encode it again)")
		}
		return text, false, err
	case "", "7bit", "8bit", "binary":
		return raw, true, nil
	}
	return nil, false, errors.New("this Content-Transfer-Encoding is not supported: use base64, quoted-printable, 7bit or 8bit")
}

// isGzipType reports whether cloud-init unpacks parts of a type
// (cloudinit/user_data.py, DECOMP_TYPES).
func isGzipType(kind string) bool {
	switch kind {
	case "application/gzip", "application/gzip-compressed", "application/gzipped", "application/x-compress",
		"application/x-compressed", "application/x-gunzip", "application/x-gzip", "application/x-gzip-compressed":
		return true
	}
	return false
}
