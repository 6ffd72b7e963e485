package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/dockhost/dockhost/internal/regular"
)

// maxSecret is the size of the largest secret.
const maxSecret = 4 << 10

// readSecret returns the content of the file without the line break at its end. Only
// root, or the user who runs the agent, may be able to read the file.
func readSecret(path string) ([]byte, error) {
	secret, err := secretOf(path)
	if err != nil {
		return nil, fmt.Errorf("read the secret of the webhook from %q: %w", path, err)
	}
	return secret, nil
}

func secretOf(path string) ([]byte, error) {
	file, err := regular.Open(path)
	if err != nil {
		if outer, ok := errors.AsType[*os.PathError](err); ok {
			return nil, outer.Err
		}
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode().Perm()&0o077 != 0 || ok && owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return nil, fmt.Errorf("other users may read or replace it (run: chown root %[1]s && chmod 0600 %[1]s)", path)
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return nil, err
	}
	secret := bytes.TrimRight(raw, "\r\n")
	switch {
	case len(raw) > maxSecret:
		return nil, fmt.Errorf("it has more than %d bytes", maxSecret)
	case len(secret) == 0:
		return nil, errors.New("it is empty (write a secret, such as the output of: openssl rand -hex 32)")
	}
	return secret, nil
}
