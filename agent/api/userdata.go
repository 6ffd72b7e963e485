package api

import "time"

// UserData is the answer to GET /v1/userdata, and to POST /v1/userdata/fetch once the
// user data was fetched again. It describes the user data, without its content. GET
// /v1/userdata/raw answers with the content, to root alone.
type UserData struct {
	// Source is where the user data is from, and what is wrong with it.
	Source Source `json:"source"`
	// How says how the datasource was found.
	How string `json:"how,omitempty"`
	// FetchedAt is when it was fetched last; absent before the first answer.
	FetchedAt *time.Time `json:"fetched_at,omitempty"`
	// Size is the size in bytes, as it was fetched, compressed or not.
	Size int `json:"size"`
	// Parts are its parts, in their order.
	Parts []Part `json:"parts"`
	// Warnings name what has no effect.
	Warnings []string `json:"warnings,omitempty"`
	// Containers are the names of the containers that it assigns, and that were
	// accepted.
	Containers []string `json:"containers"`
}

// Part is one part of user data.
type Part struct {
	// Name is the file name of the part, or its place: "user-data", "part 2".
	Name string `json:"name"`
	// Type is the MIME type that cloud-init gives it.
	Type string `json:"type"`
	// Size is its size in bytes, decompressed.
	Size int `json:"size"`
	// Used says in a few words what dockhost did with it.
	Used string `json:"used"`
}
