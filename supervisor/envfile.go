package supervisor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"github.com/dockhost/dockhost/spec"
)

// formatRaw is the format of an env file whose values are taken as they are.
const formatRaw = "raw"

// errEnvFile is the error for a line of an env file. It does not quote the line,
// which may be a secret.
var errEnvFile = errors.New("its lines are not NAME=VALUE")

// readEnvFile reads one env file. Its errors name the file only: the parser's
// errors quote lines, which may be secrets.
func readEnvFile(file spec.EnvFile) (map[string]string, error) {
	f, err := os.Open(file.Path)
	if errors.Is(err, os.ErrNotExist) && !file.Required {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read env_file: %w", err)
	}
	defer f.Close()
	vars := map[string]string{}
	if file.Format == formatRaw {
		err = readRaw(f, vars)
	} else {
		err = dotenv.ParseWithFormat(f, file.Path, vars, nil, file.Format)
	}
	if err != nil {
		return nil, fmt.Errorf("read env_file %q: %w", file.Path, errEnvFile)
	}
	return vars, nil
}

// readRaw reads lines of NAME=VALUE as `docker run --env-file` does: quotes and "$"
// belong to the value.
func readRaw(from io.Reader, vars map[string]string) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
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
