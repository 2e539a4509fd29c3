package release

import (
	"errors"
	"iter"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

func TestNext(t *testing.T) {
	two := []fleet.Wave{{Percent: 10}, {Percent: 100}}
	auto := fleet.Plan{Waves: two, Advance: 95, Min: 20, Within: 3600}
	guarded := auto
	guarded.Stop, guarded.StopCount = 10, 50
	last := auto
	last.Wave = 1
	for name, row := range map[string]struct {
		plan   fleet.Plan
		paused bool
		tally  fleet.Tally
		want   StepKind
		reason string
	}{
		"no plan":                            {fleet.Plan{}, false, fleet.Tally{Failed: 1000}, Done, "last wave"},
		"by hand":                            {fleet.Plan{Waves: two}, false, fleet.Tally{Confirmed: 1000}, Approve, "approved"},
		"nothing reported":                   {auto, false, fleet.Tally{}, Wait, "0 outcomes are known, of at least 20"},
		"nothing reported, no minimum":       {fleet.Plan{Waves: two, Advance: 95}, false, fleet.Tally{}, Wait, "0 of 0"},
		"too few outcomes":                   {auto, false, fleet.Tally{Confirmed: 19, Activated: 1}, Wait, "19 outcomes"},
		"enough, all well":                   {auto, false, fleet.Tally{Confirmed: 20}, Advance, "20 of 20"},
		"at the share":                       {auto, false, fleet.Tally{Confirmed: 95, Failed: 5}, Advance, "95 of 100"},
		"below the share":                    {auto, false, fleet.Tally{Confirmed: 94, Failed: 6}, Wait, "94 of 100 confirmed it, of at least 95%"},
		"silence is failure":                 {auto, false, fleet.Tally{Confirmed: 94, Silent: 6}, Wait, "94 of 100"},
		"the quick do not speak for all":     {auto, false, fleet.Tally{Confirmed: 30, Activated: 70}, Wait, "30 of 100"},
		"in the last wave":                   {last, false, fleet.Tally{Confirmed: 100}, Done, "last wave"},
		"paused":                             {auto, true, fleet.Tally{Confirmed: 100}, Resume, "is paused"},
		"one of a few failed":                {guarded, false, fleet.Tally{Confirmed: 5, Failed: 14}, Wait, "19 outcomes"},
		"share of failures":                  {guarded, false, fleet.Tally{Confirmed: 18, Failed: 2}, Halt, "2 failed and 0 fell silent of 20, which makes 10%"},
		"below it":                           {guarded, false, fleet.Tally{Confirmed: 181, Failed: 19}, Wait, "181 of 200"},
		"activated ones water no share down": {guarded, false, fleet.Tally{Confirmed: 18, Failed: 2, Activated: 1000}, Halt, "of 20"},
		"silence stops":                      {guarded, false, fleet.Tally{Confirmed: 18, Silent: 2}, Halt, "0 failed and 2 fell silent"},
		"a count of failures":                {guarded, false, fleet.Tally{Confirmed: 10000, Failed: 49, Silent: 1}, Halt, "49 failed and 1 fell silent, which makes 50"},
		"a count needs no minimum":           {fleet.Plan{StopCount: 1, Min: 20}, false, fleet.Tally{Failed: 1}, Halt, "makes 1"},
		"stops in the last wave, too":        {fleet.Plan{Stop: 50}, false, fleet.Tally{Failed: 1, Confirmed: 1}, Halt, "50%"},
		"none failed":                        {fleet.Plan{Stop: 1}, false, fleet.Tally{}, Done, ""},
		"stopped before":                     {fleet.Plan{Stopped: "3 failed"}, true, fleet.Tally{Confirmed: 1000}, Resume, "was stopped: 3 failed"},
	} {
		o := offer(v1, "stable")
		o.Plan, o.Paused = row.plan, row.paused
		if got := Next(o, row.tally); got.Kind != row.want || !strings.Contains(got.Reason, row.reason) {
			t.Errorf("%s: got %+v, want %s, %q", name, got, row.want, row.reason)
		}
	}
}

func TestHeld(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o := offer(v1, "stable")
	o.Plan = fleet.Plan{Stop: 5, Since: since}
	stop := fleet.Stop{Manifest: o.Manifest, Time: since.Add(time.Hour), Reason: "3 failed"}
	unguarded, paused, resumed := o, o, o
	unguarded.Plan.Stop = 0
	paused.Paused = true
	resumed.Plan.Since = stop.Time.Add(1)
	for name, row := range map[string]struct {
		offer fleet.Offer
		want  bool
	}{
		"stopped":            {o, true},
		"another release":    {offer(v2, "stable"), false},
		"no rule to stop by": {unguarded, false},
		"resumed since":      {resumed, false},
		"paused by somebody": {paused, false},
	} {
		offers := []fleet.Offer{row.offer}
		got := Held(offers, []fleet.Stop{stop})
		if held := got[0].Plan.Stopped == "3 failed"; held != row.want || held && !got[0].Paused {
			t.Errorf("%s: %+v", name, got[0])
		}
		if !reflect.DeepEqual(offers[0], row.offer) {
			t.Errorf("%s: what was handed in is changed", name)
		}
	}
}

func TestFollow(t *testing.T) {
	one, two, three := offer(v1, "stable"), offer(v2, "stable"), offer(v1Back, "stable")
	partly, held := two, two
	partly.Percent, partly.Previous = 99, &one
	held.Paused, held.Previous = true, &one
	whole := two
	whole.Previous = &one
	for name, row := range map[string]struct {
		last, next fleet.Offer
		want       *fleet.Offer
	}{
		"nothing before":              {fleet.Offer{}, one, nil},
		"one that all boards got":     {one, two, &one},
		"one that not all boards got": {partly, three, &one},
		"one that was paused":         {held, three, &one},
		"the same again":              {partly, two, &one},
		"no more than one is kept":    {whole, three, &two},
	} {
		if got := Follow(row.last, row.next); !reflect.DeepEqual(got.Previous, row.want) || got.Manifest != row.next.Manifest {
			t.Errorf("%s: got %+v, want %+v", name, got.Previous, row.want)
		}
	}
}

func TestParseWaves(t *testing.T) {
	for text, want := range map[string][]fleet.Wave{
		"1%,10%,50%,100%":   {{Percent: 1}, {Percent: 10}, {Percent: 50}, {Percent: 100}},
		"5, 50, 10%,500":    {{Count: 5}, {Count: 50}, {Percent: 10}, {Count: 500}},
		"100%":              {{Percent: 100}},
		"":                  nil,
		"1%,,100%":          nil,
		"0":                 nil,
		"0%":                nil,
		"101%":              nil,
		"-1":                nil,
		"1.5%":              nil,
		"10%,10%":           nil,
		"10%,5,9%":          nil,
		"5,10%,5":           nil,
		"99999999999999999": nil,
	} {
		got, err := ParseWaves(text)
		if (err == nil) != (want != nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestCheckPlan(t *testing.T) {
	for name, row := range map[string]struct {
		plan fleet.Plan
		want string
	}{
		"none":                        {fleet.Plan{}, ""},
		"rising":                      {fleet.Plan{Waves: []fleet.Wave{{Count: 5, Below: 1 << 20}, {Percent: 1}, {Percent: 100}}}, ""},
		"falling":                     {fleet.Plan{Waves: []fleet.Wave{{Count: 5, Below: 1 << 31}, {Percent: 1}}}, "wave 2, 1%, goes less far than the one before, 5 boards"},
		"too few for the minimum":     {fleet.Plan{Waves: []fleet.Wave{{Count: 5, Below: 1}, {Percent: 100}}, Advance: 95, Min: 10}, "10 outcomes will never be known"},
		"too few, which nobody needs": {fleet.Plan{Waves: []fleet.Wave{{Percent: 1}, {Count: 5, Below: 1 << 32}}, Advance: 95, Min: 10}, ""},
		"share beyond all":            {fleet.Plan{Advance: 101}, "101%"},
		"share below none":            {fleet.Plan{Stop: -1}, "-1%"},
		"minimum below none":          {fleet.Plan{Min: -1}, "below zero"},
	} {
		o := offer(v1, "stable")
		o.Plan = row.plan
		if err := CheckPlan(o); (err != nil) != (row.want != "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}

// TestCountWaves: a wave by count reaches so many boards, those of the waves before
// it first, and later ones in proportion.
func TestCountWaves(t *testing.T) {
	boards := func(from, n int) iter.Seq2[fleet.MAC, error] {
		return func(yield func(fleet.MAC, error) bool) {
			for i := from; i < from+n; i++ {
				if !yield(fleet.MAC{0x24, 0x6f, 0x28, 0, byte(i >> 8), byte(i)}, nil) {
					return
				}
			}
		}
	}
	reached := func(o fleet.Offer, from, n int) (in int) {
		for m := range boards(from, n) {
			if RolloutOf(o).Includes(m) {
				in++
			}
		}
		return in
	}
	o := offer(v1, "stable")
	o.Plan.Waves = []fleet.Wave{{Count: 5}, {Percent: 10}, {Count: 500}, {Count: 1000}, {Count: 5000}}
	if err := CountWaves(o, boards(0, 1000)); err != nil {
		t.Fatal(err)
	}
	for wave, want := range []int{5, -1, 500, 1000, 1000} {
		o.Plan.Wave = wave
		if got := reached(o, 0, 1000); want >= 0 && got != want {
			t.Errorf("wave %d reaches %d boards, want %d", wave+1, got, want)
		}
	}
	o.Plan.Wave = 2
	if got := reached(o, 1000, 1000); got < 400 || got > 600 {
		t.Errorf("half of the boards reached, and of those enrolled later %d of 1000", got)
	}
	if o.Plan.Wave = 4; reached(o, 1000, 1000) != 1000 {
		t.Error("boards that are enrolled later are left out of a wave of all")
	}
	if err := CountWaves(o, boards(0, 0)); err != nil || o.Plan.Waves[0].Below != 1<<32 {
		t.Errorf("no boards: %v, %+v", err, o.Plan.Waves)
	}
	broken := errors.New("no disk")
	if err := CountWaves(o, func(yield func(fleet.MAC, error) bool) { yield(fleet.MAC{}, broken) }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestWavesOnlyAdd: no wave takes a board away.
func TestWavesOnlyAdd(t *testing.T) {
	o := offer(v1, "stable")
	o.Plan.Waves = []fleet.Wave{{Percent: 1}, {Percent: 10}, {Percent: 50}, {Percent: 100}}
	for i := range 2000 {
		m, before := fleet.MAC{0x24, 0x6f, 0x28, 0, byte(i >> 8), byte(i)}, false
		for o.Plan.Wave = range o.Plan.Waves {
			now := RolloutOf(o).Includes(m)
			if before && !now {
				t.Fatalf("%v is out again in wave %d", m, o.Plan.Wave+1)
			}
			before = now
		}
		if !before {
			t.Fatalf("%v is not in the wave of all", m)
		}
	}
}

func TestPenalty(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(minutes ...float64) (all []time.Time) {
		for _, m := range minutes {
			all = append(all, now.Add(-time.Duration(m*float64(time.Minute))))
		}
		return all
	}
	patient := Penalty{Failures: 10, Burst: 5, Within: 180 * time.Second, Lasts: time.Hour}
	for name, row := range map[string]struct {
		penalty  Penalty
		failures []time.Time
		want     time.Time
	}{
		"never failed":                {DefaultPenalty, nil, time.Time{}},
		"twice":                       {DefaultPenalty, ago(2, 1), time.Time{}},
		"three times":                 {DefaultPenalty, ago(5000, 600, 60), now.Add(23 * time.Hour)},
		"the time is over":            {DefaultPenalty, ago(3000, 2000, 1440), time.Time{}},
		"once more, and failed again": {DefaultPenalty, ago(3000, 2000, 1440, 10), now.Add(1430 * time.Minute)},
		"five in 180 s":               {patient, ago(4, 3.5, 3, 2, 1), now.Add(59 * time.Minute)},
		"five, slower":                {patient, ago(5, 3.5, 3, 2, 1), time.Time{}},
		"four in 180 s":               {patient, ago(60, 3.5, 3, 2, 1), time.Time{}},
		"nobody is penalized":         {Penalty{Lasts: time.Hour}, ago(5, 4, 3, 2, 1, 0.5), time.Time{}},
	} {
		got := row.penalty.Box(NewCatalog(v2), nil, map[fleet.Digest][]time.Time{v2.Digest: row.failures}, now)
		if until, in := got[v2.Digest]; in == row.want.IsZero() || !until.Equal(row.want) {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
	}
}

// TestPenaltyOfOneProgram: a release that is stated again is the same one, with what
// was said of it.
func TestPenaltyOfOneProgram(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := NewCatalog(v1, v1Back, v2)
	failed := map[fleet.Digest][]time.Time{
		v1.Digest:     {now.Add(-3 * time.Hour), now.Add(-2 * time.Hour)},
		v1Back.Digest: {now.Add(-time.Hour)},
		{1}:           {now, now, now}, // of a release that is not there any more
	}
	until := now.Add(23 * time.Hour)
	if got, want := DefaultPenalty.Box(c, nil, failed, now), (Boxed{v1.Digest: until, v1Back.Digest: until}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	confirmed := []fleet.Report{{Manifest: v1Back.Digest, Outcome: fleet.Confirmed, Time: now.Add(-150 * time.Minute)}}
	if got := DefaultPenalty.Box(c, confirmed, failed, now); len(got) != 0 {
		t.Errorf("confirmed meanwhile: %v", got)
	}
}

// TestPickBoxed: what a board is boxed out of it gets neither by an offer nor by a pin.
func TestPickBoxed(t *testing.T) {
	boxed := Boxed{v2.Digest: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	const why = "failed on this board again and again: not offered before 2026-01-02 03:04:05"
	offers := []fleet.Offer{offer(v1, "stable"), offer(v2, "stable")}
	got, err := shelf.Pick(board(), offers, boxed)
	if err != nil || got.Release != v1 || len(got.Passed) != 1 || got.Passed[0].Reason != why {
		t.Errorf("by an offer: %+v, %v", got, err)
	}
	pinned := board()
	pinned.Pin.Version = "2.0"
	if got, err := shelf.Pick(pinned, offers, boxed); !errors.Is(err, ErrNothing) || got.Reason != "pinned to 2.0, which "+why {
		t.Errorf("by a pin: %+v, %v", got, err)
	}
}

func TestStatements(t *testing.T) {
	variant := stated("2.0", on("stable", 2), func(m *Manifest) { m.Image.Digest[0] ^= 1 })
	c := NewCatalog(v1, v2, v1Back, variant, lamp)
	got := c.Statements(offer(v2, "stable"))
	if want := []fleet.Digest{v2.Digest, variant.Digest}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := c.Statements(offer(v1Back, "stable")), []fleet.Digest{v1Back.Digest, v1.Digest}; !reflect.DeepEqual(got, want) {
		t.Errorf("stated again: got %v, want %v", got, want)
	}
}

func TestHighest(t *testing.T) {
	counted := func(version string, sequence uint64, count uint32) *Release {
		return stated(version, on("stable", sequence), func(m *Manifest) { m.Counter.Count = count })
	}
	one, two, again, unpublished := counted("1.0", 1, 1), counted("2.0", 2, 2), counted("1.0", 3, 1), counted("3.0", 4, 3)
	c := NewCatalog(one, two, again, unpublished, lamp)
	for last, want := range map[uint64]*Release{0: nil, 1: one, 2: two, 3: two, 4: unpublished} {
		if got := c.Highest("door", "stable", last); got != want {
			t.Errorf("up to sequence %d: got %+v, want %+v", last, got, want)
		}
	}
	if got := c.Highest("door", "beta", 9); got != nil {
		t.Errorf("on another channel: %+v", got)
	}
}
