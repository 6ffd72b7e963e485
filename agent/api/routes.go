package api

import "net/http"

// Access says who may use a route.
type Access string

// The kinds of access.
const (
	// Reads is for anyone on the host. To those who may not change anything the agent
	// shows no field with the tag `access:"changes"`.
	Reads Access = "reads"
	// Changes is for root and the group of the socket, which is docker.
	Changes Access = "changes"
	// RootOnly is for root alone.
	RootOnly Access = "root"
)

// Route is a request that the agent answers.
type Route struct {
	// Method and Path are as in [http.ServeMux].
	Method, Path string
	Access       Access
	// Summary says in a sentence what it does.
	Summary string
	// Query are its parameters.
	Query []Parameter
	// Body is a zero value of the body; nil for a request without one. MaxBody is its
	// largest size in bytes.
	Body    any
	MaxBody int64
	// Answer is a zero value of the answer. It is nil for one that is not JSON.
	Answer any
	// Lines says that the answer is a line of JSON for each change.
	Lines bool
	// MediaType is the type of an answer that is not JSON.
	MediaType string
	// Statuses are the statuses of its refusals, besides those that each route has.
	Statuses []int
}

// Pattern is the pattern of the route for [http.ServeMux].
func (r Route) Pattern() string { return r.Method + " " + r.Path }

// Parameter is a parameter in the query of a request.
type Parameter struct {
	Name, Summary string
	Required      bool
}

// The sizes of bodies, in bytes.
const (
	// maxDeclaration bounds a declaration. One that is made of docker run's flags has
	// some kilobytes.
	maxDeclaration = 1 << 20
	// maxRequest bounds the body of a request about updates.
	maxRequest = 64 << 10
)

// Declaration is the body of PUT /v1/containers/NAME: the JSON of a container, as
// dockhostctl run makes it of docker run's flags. Its fields are between dockhostctl and an
// agent of the same version.
type Declaration map[string]any

// Nothing is the answer to a change that has no other one.
type Nothing struct{}

// Routes returns all routes of the local API.
func Routes() []Route {
	const (
		notFound, conflict  = http.StatusNotFound, http.StatusConflict
		failed, unavailable = http.StatusInternalServerError, http.StatusServiceUnavailable
	)
	since := Parameter{"since", "When the agent accepted the request that is followed (RFC 3339).", true}
	const container, progress, update = "/v1/containers/{name}", "/v1/containers/{name}/progress", "/v1/containers/{name}/update"
	return []Route{
		{Method: "GET", Path: "/metrics", Access: Reads, Summary: "The metrics, as Prometheus reads them.", MediaType: "text/plain"},
		{Method: "GET", Path: "/v1/status", Access: Reads, Summary: "The status of the host.", Answer: Status{}},
		{
			Method: "GET", Path: "/v1/watch", Access: Reads, Summary: "Sends a line whenever the status may have changed.",
			Answer: Changed{}, Lines: true, Statuses: []int{http.StatusTooManyRequests},
		},
		{Method: "GET", Path: "/v1/userdata", Access: Reads, Summary: "Which user data was found, and what was taken from it, without its content.", Answer: UserData{}},
		{Method: "POST", Path: "/v1/userdata/fetch", Access: Changes, Summary: "Fetches the user data again, and describes it.", Answer: UserData{}},
		{Method: "GET", Path: "/v1/userdata/raw", Access: RootOnly, Summary: "The user data itself, which contains secrets.", MediaType: "application/octet-stream", Statuses: []int{notFound}},
		{
			Method: "PUT", Path: container, Access: Changes, Summary: "Declares a container of this host, or replaces it.",
			Body: Declaration{}, MaxBody: maxDeclaration, Answer: Accepted{}, Statuses: []int{conflict, failed},
		},
		{
			Method: "DELETE", Path: container, Access: Changes, Summary: "Stops a container that was declared so, and forgets it.",
			Query: []Parameter{{"volumes", "true also removes the volumes that dockhost made for it.", false}}, Answer: Nothing{}, Statuses: []int{notFound, conflict, failed},
		},
		{
			Method: "GET", Path: progress, Access: Reads, Summary: "Follows a container until it is ready or has failed.",
			Query:  []Parameter{since, {"after", "start or restart follows the container in force; without it, what was declared.", false}},
			Answer: Progress{}, Lines: true, Statuses: []int{failed},
		},
		{
			Method: "GET", Path: "/v1/history", Access: Reads, Summary: "The updates that have ended, the newest first.",
			Query: []Parameter{{"name", "The container; all without it.", false}}, Answer: []HistoryEntry{}, Statuses: []int{failed},
		},
		{
			Method: "GET", Path: "/v1/events", Access: Reads, Summary: "What happened and what was changed, the oldest first.",
			Query: []Parameter{
				{"since", "The time of the oldest event (RFC 3339); all without it.", false},
				{"follow", "true also sends each event that follows.", false},
				{"changes", "true leaves out what changed nothing.", false},
			},
			Answer: Event{}, Lines: true,
		},
		{Method: "GET", Path: "/v1/analysis", Access: Reads, Summary: "How long the phases of the boot and of each start took.", Answer: Analysis{}, Statuses: []int{failed}},
		{
			Method: "POST", Path: update, Access: Changes, Summary: "Asks for an update of a container.",
			Body: UpdateRequest{}, MaxBody: maxRequest, Answer: UpdateStarted{}, Statuses: []int{notFound, conflict, failed},
		},
		{
			Method: "GET", Path: update, Access: Reads, Summary: "Follows an update until its outcome.",
			Query: []Parameter{since}, Answer: UpdateProgress{}, Lines: true, Statuses: []int{notFound},
		},
		{
			Method: "POST", Path: container + "/rollback", Access: Changes, Summary: "Asks for the revision before the one that runs.",
			Body: UpdateRequest{}, MaxBody: maxRequest, Answer: UpdateStarted{}, Statuses: []int{notFound, conflict, failed},
		},
		{
			Method: "PUT", Path: container + "/hold", Access: Changes, Summary: "Holds a container as it is.",
			Body: HoldRequest{}, MaxBody: maxRequest, Answer: Nothing{}, Statuses: []int{notFound, failed},
		},
		{Method: "DELETE", Path: container + "/hold", Access: Changes, Summary: "Ends a hold.", Answer: Nothing{}, Statuses: []int{notFound, failed}},
		{Method: "POST", Path: container + "/start", Access: Changes, Summary: "Starts a container, and ends a stop.", Answer: Operated{}, Statuses: []int{notFound, conflict, failed}},
		{Method: "POST", Path: container + "/stop", Access: Changes, Summary: "Stops a container until someone starts it.", Answer: Operated{}, Statuses: []int{notFound, conflict, failed}},
		{Method: "POST", Path: container + "/restart", Access: Changes, Summary: "Restarts a container.", Answer: Operated{}, Statuses: []int{notFound, conflict, failed}},
		{Method: "POST", Path: container + "/reload", Access: Changes, Summary: "Has a container read its configuration again.", Answer: Operated{}, Statuses: []int{notFound, conflict, failed}},
		{Method: "POST", Path: container + "/pull", Access: Changes, Summary: "Pulls what the reference of a container names now.", Answer: PullProgress{}, Lines: true, Statuses: []int{notFound, failed}},
		// Docker measures its disk for the answer, which takes long on a large host.
		{Method: "GET", Path: "/v1/gc", Access: Changes, Summary: "What a run of housekeeping would do.", Answer: GC{}, Statuses: []int{failed, unavailable}},
		{Method: "POST", Path: "/v1/gc", Access: Changes, Summary: "Runs housekeeping.", Answer: GC{}, Statuses: []int{failed, unavailable}},
	}
}

// Refusals are the statuses with which the agent may refuse any request.
func (r Route) Refusals() []int {
	always := []int{http.StatusBadRequest, http.StatusServiceUnavailable}
	if r.Access != Reads {
		always = append(always, http.StatusForbidden)
	}
	if r.MaxBody > 0 {
		always = append(always, http.StatusRequestEntityTooLarge)
	}
	return append(always, r.Statuses...)
}
