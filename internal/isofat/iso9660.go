package isofat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf16"
)

// Of ECMA-119 (iso9660), of its supplementary descriptor as Joliet uses it,
// and of the SUSP and RRIP drafts (Rock Ridge).
const (
	isoSector      = 2048
	isoDescriptors = 16 // the first sector that holds one
	isoMostSectors = 64 // how many to look at
	isoMostAreas   = 32 // continuation areas of one record

	isoPrimary       = 1
	isoSupplementary = 2
	isoTerminator    = 255

	isoFlagDir    = 0x02
	isoFlagExtent = 0x80
)

// isoTree is the hierarchy of one volume descriptor.
type isoTree struct {
	disc   io.ReaderAt
	top    entry
	joliet bool
	block  int64
	// skip is the length of what precedes Rock Ridge in a record's system use
	// area, below 0 without Rock Ridge.
	skip int
}

func openISO(disc io.ReaderAt) (*Volume, error) {
	v := &Volume{Type: "iso9660"}
	for i := range int64(isoMostSectors) {
		sector := make([]byte, isoSector)
		if n, err := disc.ReadAt(sector, (isoDescriptors+i)*isoSector); n < isoSector {
			if i == 0 && errors.Is(err, io.EOF) {
				return nil, ErrUnknown
			}
			return nil, fmt.Errorf("%w: no end of its descriptors: %w", errDamaged, err)
		}
		if string(sector[1:6]) != "CD001" {
			break
		}
		if sector[0] == isoTerminator {
			break
		}
		v.describe(disc, sector)
	}
	if len(v.trees) == 0 {
		return nil, ErrUnknown
	}
	return v, nil
}

// describe takes over one volume descriptor.
func (v *Volume) describe(disc io.ReaderAt, sector []byte) {
	joliet := sector[0] == isoSupplementary && isJoliet(sector[88:91])
	if sector[0] != isoPrimary && !joliet {
		return
	}
	block := int64(binary.LittleEndian.Uint16(sector[128:]))
	if block != 512 && block != 1024 && block != isoSector {
		return
	}
	root, ok := isoRecord(sector[156:190])
	if !ok || !root.dir {
		return
	}
	t := &isoTree{disc: disc, top: root.entry, joliet: joliet, block: block, skip: -1}
	if !joliet {
		t.skip = t.rockRidge()
	}
	v.trees = append(v.trees, t)
	label := strings.TrimRight(string(sector[40:72]), " \x00")
	if joliet {
		label = strings.TrimRight(ucs2(sector[40:72], binary.BigEndian), " \x00")
	}
	if label != "" && !slices.Contains(v.Labels, label) {
		v.Labels = append(v.Labels, label)
	}
}

// isJoliet reports whether this is an escape sequence of Joliet's three levels.
func isJoliet(escape []byte) bool {
	return escape[0] == '%' && escape[1] == '/' && (escape[2] == '@' || escape[2] == 'C' || escape[2] == 'E')
}

func (t *isoTree) root() entry { return t.top }

func (t *isoTree) read(file entry) ([]byte, error) {
	return readFull(t.disc, int64(file.first)*t.block, int64(file.size))
}

// record is one of a directory's.
type record struct {
	entry
	name []byte
	// use is the system use area, where Rock Ridge has its own.
	use []byte
}

// isoRecord reads a directory record of exactly these bytes.
func isoRecord(raw []byte) (record, bool) {
	if len(raw) < 34 {
		return record{}, false
	}
	named := 33 + int(raw[32])
	if named > len(raw) {
		return record{}, false
	}
	r := record{name: raw[33:named]}
	r.first = binary.LittleEndian.Uint32(raw[2:]) + uint32(raw[1])
	r.size = binary.LittleEndian.Uint32(raw[10:])
	r.dir = raw[25]&isoFlagDir != 0
	r.parts = raw[25]&isoFlagExtent != 0
	if use := named + named%2; use < len(raw) { // a name is padded to an even offset
		r.use = raw[use:]
	}
	return r, true
}

// records calls visit for each record of a directory until it says false.
func (t *isoTree) records(dir entry, visit func(record) bool) error {
	if dir.size > maxDir {
		return fmt.Errorf("%w: a directory larger than %d MiB", errDamaged, maxDir>>20)
	}
	raw, err := t.read(dir)
	if err != nil {
		return err
	}
	for sector := range slices.Chunk(raw, isoSector) { // no record crosses the end of a sector
		for len(sector) > 0 && sector[0] != 0 {
			length := int(sector[0])
			if length > len(sector) {
				return fmt.Errorf("%w: a directory record beyond its sector", errDamaged)
			}
			r, ok := isoRecord(sector[:length])
			if !ok {
				return fmt.Errorf("%w: a short directory record", errDamaged)
			}
			if !visit(r) {
				return nil
			}
			sector = sector[length:]
		}
	}
	return nil
}

func (t *isoTree) find(dir entry, name string) (entry, error) {
	found, at := false, entry{}
	err := t.records(dir, func(r record) bool {
		if len(r.name) == 1 && r.name[0] <= 1 { // "." and ".."
			return true
		}
		found = strings.EqualFold(t.nameOf(r), name)
		at = r.entry
		return !found
	})
	if err == nil && !found {
		err = fs.ErrNotExist
	}
	return at, err
}

// nameOf returns a record's name: Rock Ridge's, Joliet's, or the plain name without
// its version.
func (t *isoTree) nameOf(r record) string {
	if t.joliet {
		return plainName(ucs2(r.name, binary.BigEndian))
	}
	if t.skip >= 0 && t.skip < len(r.use) {
		if name := t.rockRidgeName(r.use[t.skip:]); name != "" {
			return name
		}
	}
	return plainName(string(r.name))
}

func plainName(name string) string {
	name, _, _ = strings.Cut(name, ";")
	return strings.TrimSuffix(name, ".")
}

// rockRidge returns how many bytes of each system use area to skip, from the first
// record of the root ("SP"), or -1 without Rock Ridge.
func (t *isoTree) rockRidge() int {
	skip := -1
	_ = t.records(t.top, func(r record) bool {
		if len(r.use) >= 7 && string(r.use[:2]) == "SP" && r.use[4] == 0xbe && r.use[5] == 0xef {
			skip = int(r.use[6])
		}
		return false
	})
	return skip
}

// rockRidgeName joins the parts of a name ("NM"). The parts may continue in
// another area of the disc ("CE").
func (t *isoTree) rockRidgeName(use []byte) string {
	var name bytes.Buffer
	for range isoMostAreas {
		next := []byte(nil)
		for len(use) >= 4 {
			length := int(use[2])
			if length < 4 || length > len(use) {
				break
			}
			switch field := use[:length]; {
			case string(field[:2]) == "NM" && length > 5 && field[4]&^1 == 0:
				name.Write(field[5:])
			case string(field[:2]) == "CE" && length >= 28:
				next = t.continuation(field)
			}
			use = use[length:]
		}
		if next == nil || name.Len() > isoSector {
			break
		}
		use = next
	}
	return name.String()
}

func (t *isoTree) continuation(field []byte) []byte {
	block := int64(binary.LittleEndian.Uint32(field[4:]))
	offset := int64(binary.LittleEndian.Uint32(field[12:]))
	length := binary.LittleEndian.Uint32(field[20:])
	if length > isoSector {
		return nil
	}
	area, err := readAt(t.disc, block*t.block+offset, int(length))
	if err != nil {
		return nil
	}
	return area
}

// ucs2 decodes two-byte characters up to the first zero or unused one.
func ucs2(raw []byte, order binary.ByteOrder) string {
	var units []uint16
	for pair := range slices.Chunk(raw[:len(raw)&^1], 2) {
		unit := order.Uint16(pair)
		if unit == 0 || unit == 0xffff {
			break
		}
		units = append(units, unit)
	}
	return string(utf16.Decode(units))
}
