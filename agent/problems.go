package agent

import (
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/journal"
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
	logged map[string][]string
}

func newProblemLog(log *zap.Logger) *problemLog {
	return &problemLog{zap: log, logged: map[string][]string{}}
}

// log logs each of the problems, unless the last call for the message had the same ones,
// and tells which of those before are solved.
func (l *problemLog) log(message string, problems []string) {
	l.tell(journal.Problem, message, problems)
}

// refused is log for a declaration that is not accepted.
func (l *problemLog) refused(message string, problems []string) {
	l.tell(journal.AssignmentRefused, message, problems)
}

func (l *problemLog) tell(name journal.Name, message string, problems []string) {
	before := l.logged[message]
	if slices.Equal(before, problems) {
		return
	}
	l.logged[message] = slices.Clone(problems)
	for _, problem := range problems {
		name.Error(l.zap, message, zap.String("problem", problem))
	}
	for _, problem := range before {
		if !slices.Contains(problems, problem) {
			journal.Solved.Log(l.zap, zap.String("problem", problem))
		}
	}
}
