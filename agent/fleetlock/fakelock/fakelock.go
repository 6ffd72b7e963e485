// Package fakelock is, for tests, a lock manager that refuses what airlock refuses
// (github.com/coreos/airlock), with the same answers. It keeps its slots in memory;
// test/fleetlock runs it on a test host.
package fakelock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
)

// Server is a lock manager. Slots has the number of slots of each group; nobody may
// change it once the server answers.
type Server struct {
	Slots map[string]int

	mu      sync.Mutex
	holders map[string][]string
}

// ServeHTTP answers like airlock.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/pre-reboot", s.operation(s.lock))
	mux.HandleFunc("/v1/steady-state", s.operation(s.unlock))
	mux.ServeHTTP(w, r)
}

// client identifies who asks.
type client struct{ Group, ID string }

func (s *Server) operation(do func(client) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := identify(r)
		if err != nil {
			refuse(w, http.StatusBadRequest, "invalid_client_identity", "failed to validate client identity: "+err.Error())
			return
		}
		if _, known := s.Slots[who.Group]; !known {
			refuse(w, http.StatusBadRequest, "unknown_group", fmt.Sprintf("unknown group %q", who.Group))
			return
		}
		if err := do(who); err != nil {
			refuse(w, http.StatusInternalServerError, "failed_lock", err.Error())
		}
	}
}

func identify(r *http.Request) (client, error) {
	if r.Header.Get("Fleet-Lock-Protocol") != "true" {
		return client{}, errors.New("wrong 'fleet-lock-protocol' header")
	}
	var body struct {
		Params client `json:"client_params"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&body); err != nil {
		return client{}, err
	}
	switch {
	case body.Params.Group == "":
		return client{}, errors.New("empty client group")
	case body.Params.ID == "":
		return client{}, errors.New("empty client ID")
	}
	return body.Params, nil
}

func refuse(w http.ResponseWriter, status int, kind, value string) {
	raw, _ := json.Marshal(map[string]string{"kind": kind, "value": value})
	http.Error(w, string(raw), status)
}

func (s *Server) lock(who client) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.holders[who.Group]
	at, holds := slices.BinarySearch(held, who.ID)
	if holds {
		return nil
	}
	if len(held) >= s.Slots[who.Group] {
		return fmt.Errorf("all %d semaphore slots currently locked", s.Slots[who.Group])
	}
	if s.holders == nil {
		s.holders = map[string][]string{}
	}
	s.holders[who.Group] = slices.Insert(held, at, who.ID)
	return nil
}

func (s *Server) unlock(who client) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.holders[who.Group]
	if at, holds := slices.BinarySearch(held, who.ID); holds {
		s.holders[who.Group] = slices.Delete(held, at, at+1)
	}
	return nil
}
