package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// cgroupsPath returns linux.cgroupsPath of an OCI configuration; "" if it has none.
func cgroupsPath(config []byte) (string, error) {
	var c struct {
		Linux struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return "", err
	}
	return c.Linux.CgroupsPath, nil
}

// rewrite returns the OCI configuration with the edits and the cgroup path merged
// in. All other values keep their bytes, so that unknown members and numbers of
// any size survive.
func rewrite(config []byte, path string, edits ...json.RawMessage) ([]byte, error) {
	for _, edit := range edits {
		merged, err := merge("", config, edit)
		if err != nil {
			return nil, err
		}
		config = merged
	}
	root, err := object("", config)
	if err != nil {
		return nil, err
	}
	linux, err := object("linux", root["linux"])
	if err != nil {
		return nil, err
	}
	if linux["cgroupsPath"], err = encode(path); err != nil {
		return nil, err
	}
	if root["linux"], err = encode(linux); err != nil {
		return nil, err
	}
	return encode(root)
}

// object returns the members of the JSON object at the path at.
func object(at string, value json.RawMessage) (map[string]json.RawMessage, error) {
	if len(value) == 0 {
		return nil, fmt.Errorf("%s is missing", called(at))
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(value, &members); err != nil {
		if _, isType := errors.AsType[*json.UnmarshalTypeError](err); isType {
			return nil, fmt.Errorf("%s is not an object", called(at))
		}
		return nil, err
	}
	if members == nil {
		return nil, fmt.Errorf("%s is null", called(at))
	}
	return members, nil
}

// encode is json.Marshal that leaves <, > and & as they are.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// called returns how errors name the value at a path.
func called(at string) string {
	if at == "" {
		return "the configuration"
	}
	return at
}
