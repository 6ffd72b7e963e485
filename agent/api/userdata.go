package api

import "time"

// UserData is the answer to GET /v1/userdata, and to POST /v1/userdata/fetch
// once it was asked for anew: what was found, and what was made of it. It holds
// nothing of what stands in there. GET /v1/userdata/raw answers with that, to
// root alone.
type UserData struct {
	// Source is where the user data is, and what is wrong with it.
	Source Source `json:"source"`
	// How says by what the datasource was found.
	How string `json:"how,omitempty"`
	// FetchedAt is when it was asked for last; absent when there was no answer
	// yet.
	FetchedAt *time.Time `json:"fetched_at,omitempty"`
	// Size is how many bytes were found, packed or not.
	Size int `json:"size"`
	// Parts are what is in there, in its order.
	Parts []Part `json:"parts"`
	// Warnings are about what has no effect here.
	Warnings []string `json:"warnings,omitempty"`
	// Containers are those that it assigns and that are accepted, by name.
	Containers []string `json:"containers"`
}

// Part is one part of user data.
type Part struct {
	// Name is the part's own, or where it stands: "user-data", "part 2".
	Name string `json:"name"`
	// Type is the MIME type that cloud-init has for it.
	Type string `json:"type"`
	// Size is its size in bytes, unpacked.
	Size int `json:"size"`
	// Used says what was done with it, in a few words.
	Used string `json:"used"`
}
