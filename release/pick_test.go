package release

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// stated returns a release without images, which Pick does not need.
func stated(version string, sequences map[string]uint64, change func(*Manifest)) *Release {
	m := example()
	m.Version, m.Sequences = version, sequences
	change(&m)
	return &Release{Manifest: m, Digest: fleet.Sum(fmt.Append(nil, m))}
}

func on(channel string, sequence uint64) map[string]uint64 {
	return map[string]uint64{channel: sequence}
}

func same(*Manifest) {}

func offer(r *Release, channel string) fleet.Offer {
	return fleet.Offer{Hardware: r.Manifest.Hardware, Channel: channel, Version: r.Manifest.Version,
		Manifest: r.Digest, Sequence: r.Manifest.Sequences[channel], Percent: 100}
}

func board() fleet.Device {
	return fleet.Device{MAC: fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 2}, Hardware: "door", Channel: "stable",
		State: fleet.Active, Loader: fleet.Loader{Level: 2, Version: "2.0.1"}}
}

// A shelf is what Pick chooses from in these tests.
var (
	v1      = stated("1.0", on("stable", 1), same)
	v2      = stated("2.0", on("stable", 2), same)
	v1Back  = stated("1.0", on("stable", 3), same)
	beta    = stated("3.0", on("beta", 1), same)
	lamp    = stated("2.0", on("stable", 9), func(m *Manifest) { m.Hardware = "lamp" })
	picky   = stated("4.0", on("stable", 5), func(m *Manifest) { m.MinLoader = "2.1.0" })
	update5 = stated("loader-5.0.0", on("stable", 6), func(m *Manifest) { m.Kind = "loader" })
	shelf   = NewCatalog(v1, v2, v1Back, beta, lamp, picky, update5, v2)
)

func TestPick(t *testing.T) {
	paused := func(o fleet.Offer) fleet.Offer { o.Paused = true; return o }
	percent := func(o fleet.Offer, n int) fleet.Offer { o.Percent = n; return o }
	changed := func(o fleet.Offer, change func(*fleet.Offer)) fleet.Offer { change(&o); return o }
	waves := func(o fleet.Offer, n int) fleet.Offer {
		o.Plan = fleet.Plan{Waves: []fleet.Wave{{Count: 1}, {Percent: 100}}, Wave: n}
		return o
	}
	after := func(o, previous fleet.Offer) fleet.Offer { o.Previous = &previous; return o }
	stopped := func(o fleet.Offer) fleet.Offer { o.Paused, o.Plan.Stopped = true, "3 failed"; return o }
	o1, o2, oBack := offer(v1, "stable"), offer(v2, "stable"), offer(v1Back, "stable")
	oBeta, oLamp, oPicky, oLoader := offer(beta, "beta"), offer(lamp, "stable"), offer(picky, "stable"), offer(update5, "stable")

	for name, row := range map[string]struct {
		device func(*fleet.Device)
		offers []fleet.Offer
		want   *Release
		reason string   // why this one, or why none
		passed []string // version and a word of why not
	}{
		"one offer":                {nil, []fleet.Offer{o1}, v1, "sequence 1", nil},
		"the higher sequence":      {nil, []fleet.Offer{o1, o2}, v2, "sequence 2", []string{"1.0 older"}},
		"a step back":              {nil, []fleet.Offer{o2, oBack}, v1Back, "sequence 3", []string{"2.0 older"}},
		"other channel":            {nil, []fleet.Offer{oBeta, o1}, v1, "stable", []string{"3.0 channel beta"}},
		"on the other channel":     {func(d *fleet.Device) { d.Channel = "beta" }, []fleet.Offer{oBeta, o1}, beta, "beta", []string{"1.0 channel stable"}},
		"other hardware":           {nil, []fleet.Offer{oLamp, o1}, v1, "door", nil},
		"paused":                   {nil, []fleet.Offer{o1, paused(o2)}, v1, "sequence 1", []string{"2.0 paused"}},
		"rollout has not begun":    {nil, []fleet.Offer{o1, percent(o2, 0)}, v1, "sequence 1", []string{"2.0 0%"}},
		"rollout below zero":       {nil, []fleet.Offer{o1, percent(o2, -5)}, v1, "sequence 1", []string{"2.0 -5%"}},
		"in a later wave":          {nil, []fleet.Offer{o1, waves(o2, 0)}, v1, "sequence 1", []string{"2.0 has reached 1 board (wave 1 of 2), not this one"}},
		"in this wave":             {nil, []fleet.Offer{o1, waves(o2, 1)}, v2, "and has reached 100% of the boards (wave 2 of 2)", []string{"1.0 older"}},
		"not reached":              {nil, []fleet.Offer{after(percent(o2, 0), o1)}, v1, "sequence 1", []string{"2.0 0%"}},
		"reached":                  {nil, []fleet.Offer{after(o2, o1)}, v2, "sequence 2", []string{"1.0 older"}},
		"reached, then paused":     {nil, []fleet.Offer{after(paused(o2), o1)}, nil, "version 2.0 is paused", []string{"2.0 paused"}},
		"paused before it came":    {nil, []fleet.Offer{after(paused(percent(o2, 0)), o1)}, v1, "sequence 1", []string{"2.0 paused"}},
		"loader too old for it":    {nil, []fleet.Offer{after(oPicky, o2)}, v2, "sequence 2", []string{"4.0 needs loader"}},
		"beyond the last wave":     {nil, []fleet.Offer{waves(o2, 7)}, v2, "sequence 2", nil},
		"stopped":                  {nil, []fleet.Offer{o1, stopped(o2)}, v1, "sequence 1", []string{"2.0 was stopped: 3 failed"}},
		"rollout is over":          {nil, []fleet.Offer{o1, percent(o2, 100)}, v2, "sequence 2", []string{"1.0 older"}},
		"loader too old":           {nil, []fleet.Offer{o2, oPicky}, v2, "sequence 2", []string{"4.0 needs loader 2.1.0"}},
		"loader new enough":        {func(d *fleet.Device) { d.Loader.Version = "2.10.0" }, []fleet.Offer{o2, oPicky}, picky, "sequence 5", []string{"2.0 older"}},
		"loader not known":         {func(d *fleet.Device) { d.Loader.Version = "" }, []fleet.Offer{oPicky}, picky, "sequence 5", nil},
		"loader of 2017":           {func(d *fleet.Device) { d.Loader = fleet.Loader{} }, []fleet.Offer{o2, oPicky}, v2, "sequence 2", []string{"4.0 another kind"}},
		"loader among firmware":    {nil, []fleet.Offer{o2, oLoader}, v2, "sequence 2", []string{"loader-5.0.0 is of kind loader"}},
		"pinned to a loader":       {pin("loader-5.0.0"), []fleet.Offer{o2}, nil, "of which there is no release", []string{"2.0 pinned"}},
		"unknown manifest":         {nil, []fleet.Offer{o1, changed(o2, func(o *fleet.Offer) { o.Manifest[0] ^= 1 })}, v1, "sequence 1", []string{"2.0 not among"}},
		"sequence not as stated":   {nil, []fleet.Offer{o1, changed(o2, func(o *fleet.Offer) { o.Sequence = 8 })}, v1, "sequence 1", []string{"2.0 not what its manifest states"}},
		"channel not as stated":    {nil, []fleet.Offer{o1, changed(oBeta, func(o *fleet.Offer) { o.Channel, o.Sequence = "stable", 9 })}, v1, "sequence 1", []string{"3.0 not what"}},
		"sequence zero, unstated":  {nil, []fleet.Offer{changed(oBeta, func(o *fleet.Offer) { o.Channel, o.Sequence = "stable", 0 })}, nil, "3.0", []string{"3.0 not what"}},
		"version not as stated":    {nil, []fleet.Offer{changed(o2, func(o *fleet.Offer) { o.Version = "1.0" })}, nil, "1.0", []string{"1.0 not what"}},
		"hardware not as stated":   {nil, []fleet.Offer{changed(oLamp, func(o *fleet.Offer) { o.Hardware = "door" })}, nil, "2.0", []string{"2.0 not what"}},
		"pinned":                   {pin("2.0"), []fleet.Offer{o1, oBack}, v2, "pinned to 2.0", []string{"1.0 pinned", "1.0 pinned"}},
		"pinned, newest statement": {pin("1.0"), []fleet.Offer{o2}, v1Back, "pinned to 1.0", []string{"2.0 pinned"}},
		"pinned to nothing":        {pin("9.9"), []fleet.Offer{o2}, nil, "pinned to 9.9, of which there is no release", []string{"2.0 pinned"}},
		"pinned elsewhere":         {pin("3.0"), []fleet.Offer{o2}, nil, "on channel stable", []string{"2.0 pinned"}},
		"pinned, loader too old":   {pin("4.0"), []fleet.Offer{o2}, nil, "needs loader 2.1.0", []string{"2.0 pinned"}},
		"no offer":                 {nil, nil, nil, "channel stable has nothing for hardware door", nil},
		"only elsewhere":           {nil, []fleet.Offer{oBeta, oLamp}, nil, "channel stable has nothing", []string{"3.0 channel"}},
		"only paused":              {nil, []fleet.Offer{paused(o1)}, nil, "version 1.0 is paused", []string{"1.0 paused"}},
		"pending":                  {inState(fleet.Pending), []fleet.Offer{o1}, nil, "is pending", []string{"1.0 pending"}},
		"revoked":                  {inState(fleet.Revoked), []fleet.Offer{o1}, nil, "is revoked", []string{"1.0 revoked"}},
		"revoked and pinned": {func(d *fleet.Device) { d.State = fleet.Revoked; d.Pin.Version = "1.0" },
			[]fleet.Offer{o1}, nil, "is revoked", []string{"1.0 revoked"}},
		"no state": {inState(""), []fleet.Offer{o1}, nil, "only an active one", []string{"1.0 "}},
	} {
		t.Run(name, func(t *testing.T) {
			d := board()
			if row.device != nil {
				row.device(&d)
			}
			got, err := shelf.Pick(d, row.offers, nil)
			if got.Release != row.want || errors.Is(err, ErrNothing) != (row.want == nil) || (err != nil) != (row.want == nil) {
				t.Errorf("got %+v, %v", got, err)
			}
			if got.Release != nil && got.Sequence != got.Release.Manifest.Sequences[d.Channel] {
				t.Errorf("sequence %d", got.Sequence)
			}
			if !strings.Contains(got.Reason, row.reason) {
				t.Errorf("reason %q, want %q", got.Reason, row.reason)
			}
			checkPassed(t, got.Passed, row.passed)
			anyOrder(t, d, row.offers, got)
		})
	}
}

func pin(version string) func(*fleet.Device) {
	return func(d *fleet.Device) { d.Pin.Version = version }
}

func inState(s fleet.State) func(*fleet.Device) { return func(d *fleet.Device) { d.State = s } }

func checkPassed(t *testing.T, got []Passed, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("passed %+v, want %q", got, want)
	}
	for i, w := range want {
		version, why, _ := strings.Cut(w, " ")
		if got[i].Version != version || !strings.Contains(got[i].Reason, why) {
			t.Errorf("passed %+v, want %q", got[i], w)
		}
	}
}

// anyOrder checks that the order of offers does not matter.
func anyOrder(t *testing.T, d fleet.Device, offers []fleet.Offer, want Choice) {
	t.Helper()
	shuffled := append([]fleet.Offer(nil), offers...)
	for range 5 {
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got, _ := shelf.Pick(d, shuffled, nil); !reflect.DeepEqual(got, want) {
			t.Fatalf("in another order: got %+v, want %+v", got, want)
		}
	}
}

// TestRolloutOnlyAdds: raising the percentage takes no board away, and reaches
// about as many as it says.
func TestRolloutOnlyAdds(t *testing.T) {
	const boards = 4000
	reached := make([]int, 101)
	for i := range boards {
		m := fleet.MAC{0x24, 0x6f, 0x28, 0, byte(i >> 8), byte(i)}
		before := false
		for percent := range 101 {
			now := RolloutOf(fleet.Offer{Hardware: "door", Version: "1.2.0", Percent: percent}).Includes(m)
			if before && !now {
				t.Fatalf("%v is out again at %d%%", m, percent)
			}
			if now {
				reached[percent]++
			}
			before = now
		}
	}
	if reached[0] != 0 || reached[100] != boards {
		t.Errorf("0%% reached %d, 100%% reached %d of %d", reached[0], reached[100], boards)
	}
	for percent, n := range reached {
		if want := boards * percent / 100; n < want-150 || n > want+150 {
			t.Errorf("%d%% reached %d of %d boards", percent, n, boards)
		}
	}
}

// TestRolloutsDrawAnew: another release begins with other boards; the same
// version stated again begins with the same.
func TestRolloutsDrawAnew(t *testing.T) {
	differ := 0
	for i := range 1000 {
		m := fleet.MAC{0x24, 0x6f, 0x28, 1, byte(i >> 8), byte(i)}
		a, b := offer(v1, "stable"), offer(v2, "stable")
		again := offer(v1Back, "stable")
		a.Percent, b.Percent, again.Percent = 50, 50, 50
		if RolloutOf(a).Includes(m) != RolloutOf(b).Includes(m) {
			differ++
		}
		if RolloutOf(a).Includes(m) != RolloutOf(again).Includes(m) {
			t.Fatalf("%v lost its place when the version was stated again", m)
		}
	}
	if differ < 400 || differ > 600 {
		t.Errorf("%d of 1000 boards have another place, want about half", differ)
	}
}

func TestCatalog(t *testing.T) {
	if got := len(shelf.All()); got != 7 {
		t.Errorf("%d releases, want 7: one is there twice", got)
	}
	if got := shelf.Find("door", "1.0"); len(got) != 2 {
		t.Errorf("%d statements of 1.0, want 2", len(got))
	}
	if got := shelf.Find("lamp", "1.0"); len(got) != 0 {
		t.Errorf("%d statements of 1.0 for lamp", len(got))
	}
	if r, ok := shelf.Release(v2.Digest); !ok || r != v2 {
		t.Errorf("got %v, %v", r, ok)
	}
	var empty Catalog
	if _, ok := empty.Release(v2.Digest); ok || len(empty.All()) != 0 {
		t.Error("the zero Catalog holds something")
	}
	if _, err := empty.Pick(board(), []fleet.Offer{offer(v1, "stable")}, nil); !errors.Is(err, ErrNothing) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkPick(b *testing.B) {
	offers := []fleet.Offer{offer(v1, "stable"), offer(v2, "stable"), offer(beta, "beta"), offer(lamp, "stable")}
	for b.Loop() {
		if _, err := shelf.Pick(board(), offers, nil); err != nil {
			b.Fatal(err)
		}
	}
}
