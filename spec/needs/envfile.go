package needs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"github.com/dockhost/dockhost/spec"
)

// maxEnvFile is how large an env file may be.
const maxEnvFile = 1 << 20

// ReadEnvFile returns the variables of an env file, and nil if an optional one does
// not exist. Its errors name the file only: the parser's errors quote lines, which
// may be secrets.
func ReadEnvFile(file spec.EnvFile) (map[string]string, error) {
	// Without O_NONBLOCK, a FIFO would block until it has a writer.
	f, err := os.OpenFile(file.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) && !file.Required {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read env_file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxEnvFile+1))
	if err != nil {
		return nil, fmt.Errorf("read env_file: %w", err)
	}
	if len(text) > maxEnvFile {
		return nil, fmt.Errorf("read env_file %q: larger than 1 MiB", file.Path)
	}
	vars := map[string]string{}
	if err := dotenv.ParseWithFormat(bytes.NewReader(text), file.Path, vars, nil, file.Format); err != nil {
		return nil, fmt.Errorf("read env_file %q: its lines are not NAME=VALUE", file.Path)
	}
	return vars, nil
}
