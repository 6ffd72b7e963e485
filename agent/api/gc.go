package api

import (
	"strings"
	"time"
)

// GC is the answer to GET /v1/gc, what a run of housekeeping would do now, and to
// POST /v1/gc, what one did.
type GC struct {
	// Off says that housekeeping is turned off: nothing is removed unless
	// somebody asks for it.
	Off bool `json:"off,omitempty"`
	// Disk is the file system that holds Docker's root, before the run.
	Disk GCDisk `json:"disk"`
	// Images are all images of the host: those that go first, in their order.
	Images []GCImage `json:"images"`
	// Containers are those that go.
	Containers []GCContainer `json:"containers,omitempty"`
	// Frees is how many bytes go with the images.
	Frees int64 `json:"frees"`
	// Done says that it was done; else this is a plan.
	Done bool `json:"done"`
	// Freed is by how much the free space grew.
	Freed int64 `json:"freed,omitempty"`
	// Removed is what else was removed: build cache, networks, volumes.
	Removed []string `json:"removed,omitempty"`
	// Problems is what could not be done.
	Problems []string `json:"problems,omitempty"`
	// Holds are the five largest things on the file system, told when there is
	// not enough to remove.
	Holds []GCHold `json:"holds,omitempty"`
	// At is when the plan was made.
	At time.Time `json:"at"`
}

// GCDisk is how full a file system is.
type GCDisk struct {
	// Root is Docker's, which lies on it.
	Root string `json:"root"`
	// Size and Free are in bytes, as df has them.
	Size int64 `json:"size"`
	Free int64 `json:"free"`
	// Used and InodesUsed are percent.
	Used       int `json:"used_percent"`
	InodesUsed int `json:"inodes_used_percent"`
	// High and Low are the policy's.
	High int `json:"high_percent"`
	Low  int `json:"low_percent"`
	// Wanted is how many bytes are to be freed, 0 below the high mark.
	Wanted int64 `json:"wanted"`
}

// GCImage is what becomes of one image, and why.
type GCImage struct {
	ID string `json:"id"`
	// Names are its tags, or its digests where it has none.
	Names []string `json:"names,omitempty"`
	// Size is all of its layers, Frees those that go with it.
	Size  int64 `json:"size"`
	Frees int64 `json:"frees"`
	// LastUsed is when a container of it ran or was made last, or when it came.
	LastUsed time.Time `json:"last_used"`
	// Remove says that it goes.
	Remove bool `json:"remove"`
	// Rule is the rule that decides, Reason the same in a sentence.
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	// Error is why it did not go.
	Error string `json:"error,omitempty"`
}

// GCContainer is a container that ended and goes.
type GCContainer struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
	// Error is why it did not go.
	Error string `json:"error,omitempty"`
}

// GCHold is something that holds space.
type GCHold struct {
	// What is it, in words, Bytes what it holds, and Cure what to do about it.
	What  string `json:"what"`
	Bytes int64  `json:"bytes"`
	Cure  string `json:"cure"`
}

// Housekeeping is what is wrong with the disk, in the status.
type Housekeeping struct {
	// Problem says that the disk is too full, and that nothing more can be
	// removed, "" where that is not so.
	Problem string `json:"problem,omitempty"`
	// Holds are the five largest things on the file system then.
	Holds []GCHold `json:"holds,omitempty"`
	// LastRun is when a run of housekeeping ended last.
	LastRun *time.Time `json:"last_run,omitempty"`
	// Error is why the last run could not be made.
	Error string `json:"error,omitempty"`
}

// ShortID returns the ID of an image as docker prints it.
func ShortID(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}
