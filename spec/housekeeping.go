package spec

import "time"

// Housekeeping is the settings for housekeeping: what is removed, and when, to
// keep the disk from filling. A nil field is not set.
type Housekeeping struct {
	// Off turns housekeeping off.
	Off *bool `json:"off,omitempty"`
	// Images chooses the images that may be removed.
	Images *Scope `json:"images,omitempty"`
	// High and Low are percentages of the file system. Removal of unused images
	// starts at High and stops at Low. Either both are set or neither.
	High *int `json:"high,omitempty"`
	Low  *int `json:"low,omitempty"`
	// MinAge is how long an image stays after it was pulled. MaxAge is how long
	// an unused image stays; 0 means forever.
	MinAge *time.Duration `json:"min_age,omitempty"`
	MaxAge *time.Duration `json:"max_age,omitempty"`
	// KeepLast is the number of images that stay of a repository that a
	// container uses.
	KeepLast *int `json:"keep_last,omitempty"`
	// Keep has patterns of images that stay: a glob for references, label=NAME
	// or label=NAME=GLOB.
	Keep []string `json:"keep,omitempty"`
	// MaxRemovals is the most images that one run removes.
	MaxRemovals *int `json:"max_removals,omitempty"`
	// Interval is the time between regular runs.
	Interval *time.Duration `json:"interval,omitempty"`
	// Containers chooses the containers to remove of those that ended more than
	// an hour ago.
	Containers *Scope `json:"containers,omitempty"`
	// BuildCache is the age at which unused build cache is removed; 0 means
	// never.
	BuildCache *time.Duration `json:"build_cache,omitempty"`
	// Networks removes networks, and Volumes anonymous volumes, that no
	// container uses.
	Networks *bool `json:"networks,omitempty"`
	Volumes  *bool `json:"volumes,omitempty"`
}

// Scope chooses what may be removed by its owner.
type Scope string

// The scopes.
const (
	// ScopeManaged: what dockhost pulled or created, and what has no name.
	ScopeManaged Scope = "managed"
	// ScopeAll: everything unused, whoever pulled or created it.
	ScopeAll Scope = "all"
	// ScopeNone: nothing.
	ScopeNone Scope = "off"
)
