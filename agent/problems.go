package agent

import (
	"strings"

	"go.uber.org/zap"
)

// problems splits an error into one line for each problem in it.
func problems(err error) []string {
	return strings.Split(err.Error(), "\n")
}

// problemLog logs problems that are found again at each reconcile, each time they
// change.
type problemLog struct {
	zap *zap.Logger
	// logged has what was logged last, by message.
	logged map[string]string
}

func newProblemLog(log *zap.Logger) *problemLog {
	return &problemLog{zap: log, logged: map[string]string{}}
}

// log logs each of the problems, unless the last call for the message had the
// same ones. None means that those before are gone.
func (l *problemLog) log(message string, problems []string) {
	text := strings.Join(problems, "\n")
	if l.logged[message] == text {
		return
	}
	l.logged[message] = text
	for _, problem := range problems {
		l.zap.Error(message, zap.String("problem", problem))
	}
}
