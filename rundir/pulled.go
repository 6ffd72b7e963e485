package rundir

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// SetPulled records that an image was pulled now, or that its registry has no newer
// one.
func (d Dir) SetPulled(ref string) error {
	path := d.pulled(ref)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("record the pull: %w", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return fmt.Errorf("record the pull: %w", err)
	}
	now := time.Now()
	return os.Chtimes(path, now, now)
}

// Pulled returns when an image was pulled last since the boot, and zero if it was not.
func (d Dir) Pulled(ref string) time.Time {
	info, err := os.Stat(d.pulled(ref))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func (d Dir) pulled(ref string) string {
	sum := sha256.Sum256([]byte(ref))
	return filepath.Join(string(d), "pulled", hex.EncodeToString(sum[:16]))
}
