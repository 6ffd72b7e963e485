package calendar

import (
	"testing"
	"time"
)

func TestParseErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "empty"},
		{"24:00", "hour 24 is not from 0 to 23"},
		{"*:*:60", "second 60 is not from 0 to 59.999999"},
		{"*-02~30", "day 30 is not from 1 to 28"},
		{"*-*-05..02", "day 2 is before 5"},
		{"*:0/60", "the step of 60 is too large: it reaches no second minute"},
		{"02:00 Europe/Berln", `unknown time zone "Europe/Berln": write a name from the time zone database, such as Europe/Berlin, or UTC`},
		{"Fry 02:00", `unknown day of the week "Fry": write Mon, Tue, Wed, Thu, Fri, Sat or Sun`},
		{"Sat..Mon 02:00", "Mon is before Sat in a week that begins on Monday: write two ranges"},
		{"12", `cannot read "12": write a date such as 12-24 or *-12-24, or a time such as 02:00`},
		{"2am:00", `cannot read "2am" as hour: write a number, FIRST..LAST, FIRST/STEP or a list of these`},
		{"*-*-* 1:2:3:4", `cannot read "1:2:3:4" as a time: write HH:MM or HH:MM:SS`},
		{"02:x", `cannot read "x" as minute: write a number, FIRST..LAST, FIRST/STEP or a list of these`},
		{"02:00 03:00", `cannot read "03:00" after the time`},
	}
	for _, test := range tests {
		_, err := Parse(test.text)
		if err == nil || err.Error() != test.want {
			t.Errorf("Parse(%q) error = %v, want %s", test.text, err, test.want)
		}
	}
}

// An expression that can never elapse takes no more time than others.
func TestNextIsBounded(t *testing.T) {
	for _, text := range []string{"*-02-30", "Mon,Tue *-04-31 *:*:0/1", "Sun 1997..2199-03~07/1 02:30 Europe/Berlin", "1970-01-01 00:00"} {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := e.Next(time.Unix(24*3600, 0)); ok {
			t.Errorf("Next() of %q = %s, want never", text, at)
		}
		began := time.Now()
		for range 10 {
			e.Next(time.Unix(0, 0))
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("Next() of %q took %s ten times", text, took)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range append(accepted(), refused()...) {
		f.Add(text, int64(1_774_742_400))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(e.String())
		if err != nil || again.String() != e.String() {
			t.Fatalf("Parse(%q) = %s, and that is %v (error %v)", text, e, again, err)
		}
		from := time.Unix(unix%(300*365*24*3600), 0)
		at, ok := e.Next(from)
		if ok && !at.After(from) {
			t.Errorf("%q: Next(%s) = %s", text, from, at)
		}
		if next, ok2 := again.Next(from); ok != ok2 || !next.Equal(at) {
			t.Errorf("Next(%s) of %q is %s, of %q %s", from, text, at, e, next)
		}
	})
}
