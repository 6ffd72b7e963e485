package api

import (
	"strings"
	"time"
)

// GC is the answer to GET /v1/gc: what a run of housekeeping would do now; and to
// POST /v1/gc: what a run did.
type GC struct {
	// Off says that housekeeping is turned off: only a request removes anything.
	Off bool `json:"off,omitempty"`
	// Disk is the file system that holds the images, before the run. DockerDisk is that of
	// Docker's root, with the volumes and logs, if it is another one.
	Disk       GCDisk  `json:"disk"`
	DockerDisk *GCDisk `json:"docker_disk,omitempty"`
	// Images are all images of the host. Those to be removed are first, in order.
	Images []GCImage `json:"images"`
	// Containers are those to be removed.
	Containers []GCContainer `json:"containers,omitempty"`
	// Frees is how many bytes the removal of the images frees.
	Frees int64 `json:"frees"`
	// Done is false for a plan, true for a run that was made.
	Done bool `json:"done"`
	// Freed is how many bytes of the disk the run has freed.
	Freed int64 `json:"freed,omitempty"`
	// Removed are the build cache, networks and volumes that were removed.
	Removed []string `json:"removed,omitempty"`
	// Problems are the removals that failed, and why.
	Problems []string `json:"problems,omitempty"`
	// Holds are the five largest things on the file system, when not enough can be
	// removed.
	Holds []GCHold `json:"holds,omitempty"`
	// At is when the plan was made.
	At time.Time `json:"at"`
}

// GCDisk is the state of a file system.
type GCDisk struct {
	// Root is the directory of the images, or Docker's root, which is on it.
	Root string `json:"root"`
	// Size and Free are in bytes, as df prints them.
	Size int64 `json:"size"`
	Free int64 `json:"free"`
	// Used and InodesUsed are percent.
	Used       int `json:"used_percent"`
	InodesUsed int `json:"inodes_used_percent"`
	// High and Low are the marks of the policy.
	High int `json:"high_percent"`
	Low  int `json:"low_percent"`
	// Wanted is how many bytes should be freed, 0 below the high mark.
	Wanted int64 `json:"wanted"`
}

// GCImage says whether an image is removed, and why.
type GCImage struct {
	ID string `json:"id"`
	// Names are its tags, or its digests where it has none.
	Names []string `json:"names,omitempty"`
	// Size is the size of all its layers, Frees of those that are removed with it.
	Size  int64 `json:"size"`
	Frees int64 `json:"frees"`
	// LastUsed is when a container of it ran or was created last, or when it arrived.
	LastUsed time.Time `json:"last_used"`
	// Remove says that it is removed.
	Remove bool `json:"remove"`
	// Rule is the rule that decides, Reason says the same in a sentence.
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	// Error is why it was not removed.
	Error string `json:"error,omitempty"`
}

// GCContainer is a container that has ended and is removed.
type GCContainer struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
	// Error is why it was not removed.
	Error string `json:"error,omitempty"`
}

// GCHold is something that holds space.
type GCHold struct {
	// What names it, Bytes is its size, and Cure says what to do about it.
	What  string `json:"what"`
	Bytes int64  `json:"bytes"`
	Cure  string `json:"cure"`
}

// Housekeeping is the part of the status about the disk.
type Housekeeping struct {
	// Problem says that the disk is too full, and nothing more can be removed; ""
	// otherwise.
	Problem string `json:"problem,omitempty"`
	// Holds are the five largest things on the file system, if there is a problem.
	Holds []GCHold `json:"holds,omitempty"`
	// LastRun is when the last run of housekeeping ended.
	LastRun *time.Time `json:"last_run,omitempty"`
	// Error is why the last run failed.
	Error string `json:"error,omitempty"`
}

// ShortID returns the ID of an image as docker prints it.
func ShortID(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}
