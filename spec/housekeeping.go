package spec

import "time"

// Housekeeping is what is said about keeping the disk from filling. A nil field
// was not said.
type Housekeeping struct {
	// Off turns all of it off.
	Off *bool `json:"off,omitempty"`
	// Images is which images may be removed.
	Images *Scope `json:"images,omitempty"`
	// High and Low are percent of the file system: reaching High begins the
	// removal of what is not needed, which ends at Low. Both are set or none.
	High *int `json:"high,omitempty"`
	Low  *int `json:"low,omitempty"`
	// MinAge is how long an image stays after it came, MaxAge how long one stays
	// that is not used; 0 is for ever.
	MinAge *time.Duration `json:"min_age,omitempty"`
	MaxAge *time.Duration `json:"max_age,omitempty"`
	// KeepLast is how many images of a repository stay of which a container runs.
	KeepLast *int `json:"keep_last,omitempty"`
	// Keep are patterns of images that stay: a glob on references, or
	// label=NAME or label=NAME=GLOB.
	Keep []string `json:"keep,omitempty"`
	// MaxRemovals bounds how many images go in one run.
	MaxRemovals *int `json:"max_removals,omitempty"`
	// Interval is how often a run begins without a cause.
	Interval *time.Duration `json:"interval,omitempty"`
	// Containers is which containers are removed that ended more than an hour
	// ago.
	Containers *Scope `json:"containers,omitempty"`
	// BuildCache removes build cache that was not used for so long; 0 is never.
	BuildCache *time.Duration `json:"build_cache,omitempty"`
	// Networks removes networks that no container uses, Volumes anonymous volumes
	// that none uses.
	Networks *bool `json:"networks,omitempty"`
	Volumes  *bool `json:"volumes,omitempty"`
}

// Scope is whose things may be removed.
type Scope string

// The scopes.
const (
	// ScopeManaged is what dockhost brought, and what has no name.
	ScopeManaged Scope = "managed"
	// ScopeAll is whatever nothing needs, whoever brought it.
	ScopeAll Scope = "all"
	// ScopeNone is nothing.
	ScopeNone Scope = "off"
)
