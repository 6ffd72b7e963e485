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
)

// Of Microsoft's FAT specification, 1.03.
const (
	fatRecord  = 32
	fatDeleted = 0xe5

	fatAttrLabel = 0x08
	fatAttrDir   = 0x10
	fatAttrLong  = 0x0f

	// fatLongLast and fatLongOrder are parts of the first byte of a long name.
	fatLongLast  = 0x40
	fatLongOrder = 0x3f
	fatLongMost  = 20
)

// fatTree is a FAT file system.
type fatTree struct {
	disc io.ReaderAt
	// bits is the width of an entry of the FAT: 12, 16 or 32.
	bits int
	// fat and data are where the FAT and the first cluster begin, rootAt and
	// rootSize the root directory of FAT12 and FAT16: offsets in bytes.
	fat, data, rootAt int64
	rootSize          int
	cluster           int64
	// clusters is the number of clusters; the first one is number 2.
	clusters uint32
	top      entry
}

func openFAT(disc io.ReaderAt) (*Volume, error) {
	boot := make([]byte, 512)
	if n, err := disc.ReadAt(boot, 0); n < len(boot) {
		if errors.Is(err, io.EOF) {
			return nil, ErrUnknown
		}
		return nil, err
	}
	t, ok := fatGeometry(boot)
	if !ok {
		return nil, ErrUnknown
	}
	t.disc = disc
	v := &Volume{Type: "vfat", trees: []tree{t}}
	label := ""
	_ = t.records(t.top, func(r fatFile) bool {
		if r.label {
			label = r.short
		}
		return !r.label
	})
	for _, label := range []string{label, bootLabel(boot, t.bits)} {
		if label != "" && label != "NO NAME" && !v.HasLabel(label) {
			v.Labels = append(v.Labels, label)
		}
	}
	return v, nil
}

// fatGeometry reads the boot sector. It checks every field, because the boot
// sector of a partitioned disk has the same signature.
func fatGeometry(boot []byte) (*fatTree, bool) {
	sector := int64(binary.LittleEndian.Uint16(boot[11:]))
	perCluster := int64(boot[13])
	reserved := int64(binary.LittleEndian.Uint16(boot[14:]))
	fats := int64(boot[16])
	rootRecords := int64(binary.LittleEndian.Uint16(boot[17:]))
	total := int64(binary.LittleEndian.Uint16(boot[19:]))
	if total == 0 {
		total = int64(binary.LittleEndian.Uint32(boot[32:]))
	}
	perFAT := int64(binary.LittleEndian.Uint16(boot[22:]))
	wide := perFAT == 0
	if wide {
		perFAT = int64(binary.LittleEndian.Uint32(boot[36:]))
	}
	switch {
	case boot[510] != 0x55 || boot[511] != 0xaa,
		sector < 512 || sector > 4096 || sector&(sector-1) != 0,
		perCluster == 0 || perCluster&(perCluster-1) != 0,
		reserved == 0, fats == 0 || fats > 4, boot[21] < 0xf0, perFAT == 0,
		wide != (rootRecords == 0):
		return nil, false
	}
	rootSectors := (rootRecords*fatRecord + sector - 1) / sector
	dataSector := reserved + fats*perFAT + rootSectors
	if total <= dataSector {
		return nil, false
	}
	clusters := (total - dataSector) / perCluster
	t := &fatTree{
		bits:    16,
		fat:     reserved * sector,
		rootAt:  (reserved + fats*perFAT) * sector,
		data:    dataSector * sector,
		cluster: perCluster * sector,
		top:     entry{dir: true},
	}
	t.rootSize = int(rootRecords * fatRecord)
	switch {
	case wide:
		t.bits = 32
		t.top.first = binary.LittleEndian.Uint32(boot[44:])
	case clusters < 4085:
		t.bits = 12
	}
	// No more clusters than the FAT has entries for.
	t.clusters = uint32(min(clusters, perFAT*sector*8/int64(t.bits)-2, 0x0ffffff5)) //nolint:gosec // bounded
	return t, true
}

// bootLabel is the label in the boot sector, which mkfs.vfat writes as well.
func bootLabel(boot []byte, bits int) string {
	at := 38
	if bits == 32 {
		at = 66
	}
	if boot[at] != 0x29 {
		return ""
	}
	return strings.TrimRight(string(boot[at+5:at+16]), " \x00")
}

func (t *fatTree) root() entry { return t.top }

// read follows a file's chain of clusters up to the size of the file, so that a
// loop in the chain ends.
func (t *fatTree) read(file entry) ([]byte, error) {
	var out bytes.Buffer
	left := int64(file.size)
	for at := file.first; left > 0; {
		piece, err := t.clusterAt(at, min(left, t.cluster))
		if err != nil {
			return nil, err
		}
		out.Write(piece)
		left -= int64(len(piece))
		if left == 0 {
			break
		}
		next, last, err := t.next(at)
		if err != nil {
			return nil, err
		}
		if last {
			return nil, fmt.Errorf("%w: a file ends before its size", errDamaged)
		}
		at = next
	}
	return out.Bytes(), nil
}

func (t *fatTree) clusterAt(n uint32, length int64) ([]byte, error) {
	if n < 2 || n-2 >= t.clusters {
		return nil, fmt.Errorf("%w: missing cluster", errDamaged)
	}
	return readAt(t.disc, t.data+int64(n-2)*t.cluster, int(length))
}

// next returns the cluster after n, or that n is the last one.
func (t *fatTree) next(n uint32) (next uint32, last bool, err error) {
	bit := int64(n) * int64(t.bits)
	raw, err := readAt(t.disc, t.fat+bit/8, (t.bits+7)/8)
	if err != nil {
		return 0, false, err
	}
	switch t.bits {
	case 12:
		value := uint32(binary.LittleEndian.Uint16(raw))
		if n%2 == 1 {
			value >>= 4
		}
		value &= 0xfff
		return value, value >= 0xff8, nil
	case 16:
		value := uint32(binary.LittleEndian.Uint16(raw))
		return value, value >= 0xfff8, nil
	}
	value := binary.LittleEndian.Uint32(raw) & 0x0fffffff
	return value, value >= 0x0ffffff8, nil
}

// directory returns the records of a directory.
func (t *fatTree) directory(dir entry) ([]byte, error) {
	if dir.first == 0 && t.bits != 32 {
		return readAt(t.disc, t.rootAt, t.rootSize)
	}
	if dir.first == 0 { // ".." of a folder in the root
		dir.first = t.top.first
	}
	var out bytes.Buffer
	for at := dir.first; ; {
		piece, err := t.clusterAt(at, t.cluster)
		if err != nil {
			return nil, err
		}
		out.Write(piece)
		if out.Len() > maxDir {
			return nil, fmt.Errorf("%w: a directory larger than %d MiB", errDamaged, maxDir>>20)
		}
		next, last, err := t.next(at)
		if err != nil || last {
			return out.Bytes(), err
		}
		at = next
	}
}

// fatFile is a file or directory, or the volume's label.
type fatFile struct {
	entry
	short, long string
	label       bool
}

// records calls visit for each file of a directory until it says false.
func (t *fatTree) records(dir entry, visit func(fatFile) bool) error {
	raw, err := t.directory(dir)
	if err != nil {
		return err
	}
	var long longName
	for ; len(raw) >= fatRecord && raw[0] != 0; raw = raw[fatRecord:] {
		r := raw[:fatRecord]
		attributes := r[11]
		switch {
		case r[0] == fatDeleted:
			long = longName{}
			continue
		case attributes&0x3f == fatAttrLong:
			long.add(r)
			continue
		}
		file := fatFile{short: shortName(r), long: long.name(r), label: attributes&fatAttrLabel != 0}
		if file.label {
			file.short = strings.TrimRight(string(r[:11]), " \x00")
		}
		long = longName{}
		file.dir = attributes&fatAttrDir != 0
		file.size = binary.LittleEndian.Uint32(r[28:])
		file.first = uint32(binary.LittleEndian.Uint16(r[26:]))
		if t.bits == 32 {
			file.first |= uint32(binary.LittleEndian.Uint16(r[20:])) << 16
		}
		if !visit(file) {
			return nil
		}
	}
	return nil
}

func (t *fatTree) find(dir entry, name string) (entry, error) {
	found, at := false, entry{}
	err := t.records(dir, func(f fatFile) bool {
		found = !f.label && f.short != "." && f.short != ".." &&
			(strings.EqualFold(f.long, name) || strings.EqualFold(f.short, name))
		at = f.entry
		return !found
	})
	if err == nil && !found {
		err = fs.ErrNotExist
	}
	return at, err
}

func shortName(r []byte) string {
	name := strings.TrimRight(string(r[:8]), " ")
	if extension := strings.TrimRight(string(r[8:11]), " "); extension != "" {
		name += "." + extension
	}
	return name
}

// longName is gathered from the records before the file's own, the last part
// first.
type longName struct {
	parts    []string
	left     int
	checksum byte
}

func (l *longName) add(r []byte) {
	order := int(r[0] & fatLongOrder)
	if r[0]&fatLongLast != 0 {
		*l = longName{left: order, checksum: r[13]}
	}
	if order == 0 || order > fatLongMost || order != l.left || r[13] != l.checksum {
		*l = longName{}
		return
	}
	units := append(append(append(make([]byte, 0, 26), r[1:11]...), r[14:26]...), r[28:32]...)
	l.parts = append(l.parts, ucs2(units, binary.LittleEndian))
	l.left--
}

// name returns the long name if it is whole, and the file's.
func (l *longName) name(r []byte) string {
	if l.left != 0 || len(l.parts) == 0 || l.checksum != checksum(r[:11]) {
		return ""
	}
	var name strings.Builder
	for _, part := range slices.Backward(l.parts) {
		name.WriteString(part)
	}
	return name.String()
}

func checksum(short []byte) byte {
	sum := byte(0)
	for _, c := range short {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}
