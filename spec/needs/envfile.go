package needs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"github.com/dockhost/dockhost/internal/beneath"
	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/spec"
)

// maxEnvFile is how large an env file may be.
const maxEnvFile = 1 << 20

// formatRaw is the format of an env file whose values are taken as they are.
const formatRaw = "raw"

// errEnvFile is the error for a line of an env file. It does not quote the line,
// which may be a secret.
var errEnvFile = errors.New("its lines are not NAME=VALUE")

// ReadEnvFile returns the variables of an env file, and nil if an optional one does
// not exist. The file has to be in the grants; nil grants all. The errors name the file only:
// the parser's errors quote lines, which may be secrets.
func ReadEnvFile(file spec.EnvFile, grants *beneath.Grants) (map[string]string, error) {
	vars, err := readEnvFile(file, grants)
	return vars, cure.ByFile(err, file.Path)
}

func readEnvFile(file spec.EnvFile, grants *beneath.Grants) (map[string]string, error) {
	f, err := openEnvFile(file.Path, grants)
	if errors.Is(err, os.ErrNotExist) && !file.Required {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read env_file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxEnvFile+1))
	if err != nil {
		return nil, fmt.Errorf("read env_file %q: %w", file.Path, err)
	}
	if len(text) > maxEnvFile {
		return nil, fmt.Errorf("read env_file %q: larger than 1 MiB", file.Path)
	}
	vars := map[string]string{}
	if file.Format == formatRaw {
		err = readRaw(bytes.NewReader(text), vars)
	} else {
		err = dotenv.ParseWithFormat(bytes.NewReader(text), file.Path, vars, nil, file.Format)
	}
	if err != nil {
		return nil, fmt.Errorf("read env_file %q: %w", file.Path, errEnvFile)
	}
	return vars, nil
}

func openEnvFile(path string, grants *beneath.Grants) (*os.File, error) {
	at, done, err := grants.Path(path)
	if err != nil {
		return nil, err
	}
	defer done()
	// Without O_NONBLOCK, a FIFO would block until it has a writer.
	file, err := os.OpenFile(at, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil && at != path {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return file, err
}

// readRaw reads lines of NAME=VALUE as `docker run --env-file` does: quotes and "$"
// belong to the value.
func readRaw(from io.Reader, vars map[string]string) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxEnvFile)
	for lines.Scan() {
		line := strings.TrimLeft(lines.Text(), " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		if name == "" || strings.ContainsAny(name, " \t") {
			return errEnvFile
		}
		if found {
			vars[name] = value
		}
	}
	return lines.Err()
}
