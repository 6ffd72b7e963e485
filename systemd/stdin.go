package systemd

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// InputStream returns standard input, nil if it is closed or /dev/null, as systemd
// connects it unless the unit has StandardInput=.
func InputStream() io.Reader {
	if in := os.Stdin; hasInput(in) {
		return in
	}
	return nil
}

// hasInput says whether something can be read from a file, now or later.
func hasInput(file *os.File) bool {
	var stat unix.Stat_t
	if unix.Fstat(int(file.Fd()), &stat) != nil {
		return false
	}
	const null = 1<<8 | 3
	isNull := stat.Mode&unix.S_IFMT == unix.S_IFCHR && stat.Rdev == null
	return !isNull
}

// InputTerminal returns standard input if it is a terminal, otherwise nil.
func InputTerminal() *os.File {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil
	}
	return os.Stdin
}
