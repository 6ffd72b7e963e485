package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"

	"github.com/dockhost/dockhost/supervisor/placement"
)

const (
	// firstFile is the first descriptor after standard error (SD_LISTEN_FDS_START).
	firstFile = 3
	// answerTimeout bounds the wait for a supervisor that hangs, in seconds.
	answerTimeout = 10
	// dockerInit is the program that Docker runs first with --init.
	dockerInit = "/sbin/docker-init"
)

// receive returns the descriptors of the unit's socket units. The supervisor sends
// them in one message.
func receive(sockets placement.Sockets) ([]int, error) {
	conn, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(conn)
	if err := syscall.SetsockoptTimeval(conn, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: answerTimeout}); err != nil {
		return nil, err
	}
	if err := syscall.Connect(conn, &syscall.SockaddrUnix{Name: sockets.Path}); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", sockets.Path, err)
	}
	data, control := make([]byte, 1), make([]byte, syscall.CmsgSpace(4*placement.MaxSockets))
	_, n, _, _, err := syscall.Recvmsg(conn, data, control, syscall.MSG_CMSG_CLOEXEC)
	if errors.Is(err, syscall.EAGAIN) {
		return nil, fmt.Errorf("no answer within %d seconds", answerTimeout)
	}
	if err != nil {
		return nil, err
	}
	files, err := rights(control[:n])
	if err == nil && len(files) != sockets.Count {
		err = fmt.Errorf("it sent %d descriptors, not %d", len(files), sockets.Count)
	}
	return files, err
}

// rights returns the descriptors in a control message.
func rights(control []byte) ([]int, error) {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	var files []int
	for _, message := range messages {
		more, err := syscall.ParseUnixRights(&message)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

// preserving adds the option with which runc and crun pass descriptors from 3 on to
// the container's first process.
func preserving(args []string, command string, files int) []string {
	return slices.Insert(slices.Clone(args), slices.Index(args, command)+1, "--preserve-fds", strconv.Itoa(files))
}

// socketVariables returns the edits of the OCI configuration with the variables of
// sd_listen_fds(3); nil without sockets. LISTEN_PID is the process that may use the
// sockets. It is known only if the program is the first process of its own PID
// namespace.
func socketVariables(config []byte, sockets *placement.Sockets) (json.RawMessage, error) {
	if sockets == nil {
		return nil, nil
	}
	var c struct {
		Process struct {
			Args []string `json:"args"`
		} `json:"process"`
		Linux struct {
			Namespaces []struct {
				Type string `json:"type"`
				Path string `json:"path"`
			} `json:"namespaces"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	env := []string{"LISTEN_FDS=" + strconv.Itoa(sockets.Count)}
	if sockets.Names != "" {
		env = append(env, "LISTEN_FDNAMES="+sockets.Names)
	}
	for _, namespace := range c.Linux.Namespaces {
		if namespace.Type == "pid" && namespace.Path == "" && len(c.Process.Args) > 0 && c.Process.Args[0] != dockerInit {
			env = append(env, "LISTEN_PID=1")
		}
	}
	return encode(map[string]any{"process": map[string]any{"env": env}})
}

// execWith executes a program that gets files as its descriptors from 3 on, and no
// other ones.
func execWith(path string, argv, env []string, files []int) error {
	// Go's own descriptors have these numbers, too. They are not used any more.
	for i, file := range files {
		// Above all numbers that are written to below.
		high, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(file), syscall.F_DUPFD_CLOEXEC, firstFile+placement.MaxSockets)
		if errno != 0 {
			return fmt.Errorf("keep socket %d: %w", i, errno)
		}
		files[i] = int(high)
	}
	for i, file := range files {
		if err := syscall.Dup3(file, firstFile+i, 0); err != nil {
			return fmt.Errorf("keep socket %d: %w", i, err)
		}
	}
	return syscall.Exec(path, argv, env)
}
