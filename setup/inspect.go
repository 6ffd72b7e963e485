package setup

import (
	"context"
	"fmt"
	"path/filepath"
)

// Inspect returns what is wrong with Docker's daemon.json below a root, "" on a real
// host: it cannot be read or parsed, or dockerd does not accept it. It changes nothing,
// and runs dockerd on a real host only.
func Inspect(ctx context.Context, root string) error {
	config, err := readConfig(filepath.Join(root, configPath))
	if err != nil {
		return err
	}
	if _, err := registered(config.text); err != nil {
		return config.at(err)
	}
	if root != "" || config.info == nil {
		return nil
	}
	if err := validateWithDockerd(ctx, config.file); err != nil {
		return fmt.Errorf("%s: %w", config.file, err)
	}
	return nil
}
