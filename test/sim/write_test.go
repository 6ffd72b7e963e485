package sim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"text/template"
	"time"
)

// docs is the directory of the documents, from this package.
const docs = "../../docs"

// write writes the table and the pictures.
func (r *results) write(t *testing.T) {
	t.Helper()
	var page bytes.Buffer
	if err := pageTemplate.Execute(&page, r.values()); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"fleet.md":             page.Bytes(),
		"img/updates-good.svg": draw("A good image", r.goodSeries),
		"img/updates-bad.svg":  draw("A bad image, which exits, and after an hour a good one", r.exits.series),
	} {
		path := filepath.Join(docs, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// values are what the page shows.
func (r *results) values() map[string]string {
	return map[string]string{
		"Agents": thousands(*agents), "Slots": fmt.Sprint(slotsOf(*agents)), "Canaries": fmt.Sprint(canariesOf(*agents)),
		"Commit": *commit, "Date": realTime.Format(time.DateOnly),
		"Boot": r.boot.row(), "BootLock": r.bootLock.row(), "Roll": r.roll.row(), "RollLock": r.rollLock.row(),
		"Pulls": r.pulls.row(), "First": r.first.row(), "Settled": r.settled.row(), "Limit": fmt.Sprint(r.limit), "Refused": fmt.Sprint(r.refused),
		"Most": fmt.Sprint(r.most), "Half": round(r.half), "All": round(r.all),
		"ExitsTouched": fmt.Sprint(r.exits.touched), "ExitsBack": round(r.exits.back), "ExitsFixed": round(r.exits.fixed),
		"HangsTouched": fmt.Sprint(r.hangs.touched), "HangsBack": round(r.hangs.back), "HangsFixed": round(r.hangs.fixed),
	}
}

func round(d time.Duration) string {
	d = d.Round(time.Minute)
	if d < time.Hour {
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// row is a load as cells of a table.
func (l load) row() string {
	return fmt.Sprintf("%.1f | %d | %.1f", l.mean, l.largest, l.flat)
}

// realTime is the time outside of the simulation.
var realTime = time.Now()

var pageTemplate = template.Must(template.New("").Parse(`# A fleet of {{.Agents}} hosts

` + "`make sim`" + ` runs {{.Agents}} agents, with the code that makes the updates on a host, under a virtual clock: against a model
of one registry and of one lock manager with {{.Slots}} slots. {{.Canaries}} hosts are canaries (` + "`wariness: 0`" + `), all others have
` + "`wariness: 1`" + `. They ask the registry every 5 minutes. [Updates](updates.md) describes the settings.
Measured on {{.Date}} with commit {{.Commit}}.

| requests a second | mean | largest second | largest window, times the mean |
| --- | --- | --- | --- |
| at the registry, in the 30 minutes after all hosts booted at once | {{.Boot}} |
| at the lock manager, in the same time | {{.BootLock}} |
| at the registry, while a new image goes through the fleet | {{.Roll}} |
| pulls of that image, in the first 10 minutes | {{.Pulls}} |
| at the lock manager, while it goes through | {{.RollLock}} |
| at a registry that answers {{.Limit}} a second and refuses others for a minute, after a boot | {{.First}} |
| at that registry, half an hour later | {{.Settled}} |

A window is a second, or longer in a fleet so small that chance would decide.

| image | hosts that ran it | time |
| --- | --- | --- |
| a good one | {{.Agents}}, {{.Most}} at the same time | half of the hosts after {{.Half}}, all after {{.All}} |
| one that exits 20 s after it is ready | {{.ExitsTouched}} | the last one was back on the old image {{.ExitsBack}} after the push; a good image went through in {{.ExitsFixed}} |
| one that is never ready | {{.HangsTouched}} | the last one was back on the old image {{.HangsBack}} after the push; a good image went through in {{.HangsFixed}} |

No host ran a bad image twice. After a rollback a host keeps its slot while the tag names the image that failed, so a bad
image reaches no more hosts than there are slots. Once the tag names another image, the fleet continues with that.

The simulation fails if the largest window has more than 3 times the mean, if more hosts are updated at a time than there are
slots, if a bad image runs on more hosts than there are slots and canaries, or if one of them is not back on the old image.

![Hosts by image over time: a good image](img/updates-good.svg)

![Hosts by image over time: a bad image](img/updates-bad.svg)
`))
