package enroll

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

func TestEnroll(t *testing.T) {
	h := newHarness(t)
	asked := []Request{
		{Where: Place{"list:", 2}, MAC: mac(1)},
		{Where: Place{"list:", 3}, MAC: mac(2), Name: "hall", Hardware: "gate", Channel: "beta", VLAN: 7, EAP: fleet.TLS | fleet.PEAP},
	}
	enrolled, skipped, err := h.Enroll(t.Context(), asked)
	h.ok(err)
	h.whole(2)
	if len(enrolled) != 2 || len(skipped) != 0 {
		t.Fatalf("enrolled %v, skipped %v", enrolled, skipped)
	}
	for i, want := range []fleet.Device{
		{MAC: mac(1), Hardware: "esp32", Channel: "stable", EAP: fleet.TLS},
		{MAC: mac(2), Name: "hall", Hardware: "gate", Channel: "beta", VLAN: 7, EAP: fleet.TLS | fleet.PEAP},
	} {
		got := h.device(want.MAC)
		if enrolled[i].State != fleet.Active || enrolled[i].Admissions[0].Serial != got.Admissions[0].Serial {
			t.Errorf("returned %+v, the registry has %+v", enrolled[i], got)
		}
		if got.Admissions[0].NTHash.IsZero() == want.EAP.UsesPassword() {
			t.Errorf("%s: NT hash %v with %s", got.MAC, !got.Admissions[0].NTHash.IsZero(), want.EAP)
		}
		if got.Name != want.Name || got.Hardware != want.Hardware || got.Channel != want.Channel || got.VLAN != want.VLAN || got.EAP != want.EAP {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestNothingAsked(t *testing.T) {
	h := newHarness(t)
	enrolled, skipped, err := h.Enroll(t.Context(), nil)
	if len(enrolled)+len(skipped) != 0 || err != nil {
		t.Errorf("got %v, %v, %v", enrolled, skipped, err)
	}
}

// Of a list with one request that cannot be met, no board is touched.
func TestRefuses(t *testing.T) {
	type row struct {
		name  string
		asked []Request
		why   []string
	}
	fresh := Request{Where: Place{"list:", 2}, MAC: mac(9)}
	for _, tt := range []row{
		{"twice in the list", []Request{fresh, {Where: Place{"list:", 3}, MAC: mac(9)}}, []string{"list:3: ", "stands twice: at list:2 too"}},
		{"a name twice in the list", []Request{{Where: Place{"list:", 2}, MAC: mac(9), Name: "x"}, {Where: Place{"list:", 3}, MAC: mac(8), Name: "x"}}, []string{"list:3: ", `name "x": at list:2 too`}},
		{"revoked", []Request{fresh, {Where: Place{"list:", 3}, MAC: mac(3)}}, []string{"list:3: ", "revoked on", "(lost)"}},
		{"another name", []Request{fresh, {Where: Place{"list:", 3}, MAC: mac(1), Name: "x"}}, []string{`with name "door 1", not "x"`}},
		{"other hardware", []Request{fresh, {Where: Place{"list:", 3}, MAC: mac(1), Hardware: "gate"}}, []string{`with hardware "esp32", not "gate"`}},
		{"another channel", []Request{fresh, {Where: Place{"list:", 3}, MAC: mac(1), Channel: "beta"}}, []string{`with channel "stable", not "beta"`}},
		{"another VLAN", []Request{fresh, {Where: Place{"list:", 3}, MAC: mac(1), VLAN: 7}}, []string{`with VLAN "", not "7"`}},
		{"other methods", []Request{fresh, {Where: Place{"list:", 3}, MAC: mac(1), EAP: fleet.PEAP}}, []string{`with EAP "tls", not "peap"`}},
		{"a name that is taken", []Request{fresh, {Where: Place{"list:", 3}, MAC: mac(8), Name: "door 1"}}, []string{`name "door 1": taken by ` + mac(1).String()}},
		{"a name taken by a pending board", []Request{fresh, {Where: Place{"list:", 3}, MAC: mac(8), Name: "door 4"}}, []string{"taken by " + mac(4).String()}},
		{"every refusal is told", []Request{{Where: Place{"list:", 2}, MAC: mac(3)}, {Where: Place{"list:", 3}, MAC: mac(1), VLAN: 7}}, []string{"list:2: ", "list:3: "}},
		{"endless refusals", slices.Repeat([]Request{fresh}, 100), []string{"more refusals may follow"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t)
			h.enroll(ask(3)...)
			h.ok(h.Fleet.Revoke(t.Context(), []fleet.MAC{mac(3)}, "lost"))
			h.ok(h.Fleet.Add(t.Context(), []registry.Entry{pendingEntry(4)}))
			before, err := h.Fleet.Head(t.Context())
			h.ok(err)
			calls := len(h.box.calls)
			if _, err := h.Plan(t.Context(), ListOf(tt.asked)); err == nil {
				t.Error("Plan finds nothing")
			}
			enrolled, skipped, err := h.Enroll(t.Context(), tt.asked)
			if err == nil || enrolled != nil || skipped != nil {
				t.Fatalf("got %v, %v, %v", enrolled, skipped, err)
			}
			for _, why := range tt.why {
				if !strings.Contains(err.Error(), why) {
					t.Errorf("%v: want %q", err, why)
				}
			}
			after, err := h.Fleet.Head(t.Context())
			h.ok(err)
			if after != before || len(h.box.calls) != calls {
				t.Error("something was touched")
			}
		})
	}
}

// Callers tell refusals apart by type.
func TestRefusalTypes(t *testing.T) {
	h := newHarness(t)
	h.enroll(ask(3)...)
	h.ok(h.Fleet.Revoke(t.Context(), []fleet.MAC{mac(3)}, "lost"))
	_, err := h.Plan(t.Context(), ListOf([]Request{{MAC: mac(3)}, {MAC: mac(1), VLAN: 7}, {MAC: mac(8), Name: "door 2"}}))
	var (
		revoked   *registry.RevokedError
		different *DifferentError
		taken     *registry.NameTakenError
	)
	if !errors.As(err, &revoked) || revoked.MAC != mac(3) || revoked.Reason != "lost" || revoked.Time.IsZero() {
		t.Errorf("revoked: %+v", revoked)
	}
	if !errors.As(err, &different) || *different != (DifferentError{mac(1), "VLAN", "", "7"}) {
		t.Errorf("different: %+v", different)
	}
	if !errors.As(err, &taken) || *taken != (registry.NameTakenError{MAC: mac(8), Name: "door 2", Owner: mac(2)}) {
		t.Errorf("taken: %+v", taken)
	}
}

func pendingEntry(i int) registry.Entry {
	r := ask(i)[i-1]
	return registry.Entry{
		Device:    fleet.Device{MAC: r.MAC, Name: r.Name, Hardware: "esp32", Channel: "stable", EAP: fleet.TLS},
		Admission: fleet.Admission{Serial: fleet.Serial{1, byte(i)}, Certificate: fleet.Sum([]byte{byte(i)})},
	}
}

// What was begun elsewhere, or before a power cut, is issued anew; what is active
// as asked is skipped; a name moves with its revoked owner's successor.
func TestEnrollsTheRest(t *testing.T) {
	h := newHarness(t)
	h.enroll(ask(2)...)
	h.ok(h.Fleet.Revoke(t.Context(), []fleet.MAC{mac(2)}, "lost"))
	h.ok(h.other().Add(t.Context(), []registry.Entry{pendingEntry(4)}))
	before := h.device(mac(1)).Admissions[0].Serial
	enrolled, skipped, err := h.Enroll(t.Context(), []Request{
		{MAC: mac(1)}, {MAC: mac(4), Name: "door 4"}, {MAC: mac(5), Name: "door 2"},
	})
	h.ok(err)
	if len(enrolled) != 2 || len(skipped) != 1 || skipped[0].MAC != mac(1) {
		t.Errorf("enrolled %v, skipped %v", enrolled, skipped)
	}
	if h.check() != 3 || h.device(mac(1)).Admissions[0].Serial != before {
		t.Error("the active board was touched, or not all are active")
	}
	if a := h.device(mac(4)).Admissions; len(a) != 1 || a[0].Serial == (fleet.Serial{1, 4}) {
		t.Errorf("the pending board keeps its credential: %v", a)
	}
}

// Lists that end just before, at and just behind the end of a batch.
func TestBatches(t *testing.T) {
	for _, n := range []int{1, batch - 1, batch, batch + 1, 4*batch + 3} {
		h := newHarness(t)
		var told []int
		h.Progress = func(done, total int) {
			if total != n {
				t.Errorf("total %d, want %d", total, n)
			}
			told = append(told, done)
		}
		enrolled, _, err := h.Enroll(t.Context(), ask(n))
		h.ok(err)
		h.whole(n)
		deliveries := (n + batch - 1) / batch
		if len(enrolled) != n || len(h.box.calls) != deliveries || len(told) != deliveries || told[deliveries-1] != n {
			t.Errorf("%d boards: %d enrolled, calls %v, told %v", n, len(enrolled), h.box.calls, told)
		}
	}
}

// Whatever step fails, no board is admitted by what it was not handed, and asking
// again finishes. A board that was enrolled is told of, and is skipped then.
func TestEnrollFails(t *testing.T) {
	const boards = batch + 2
	last := func(d fleet.Device) bool { return d.MAC == mac(boards) } // in the second batch
	for _, tt := range []struct {
		name    string
		prepare func(h *harness, cancel context.CancelFunc)
		want    error
	}{
		{"issuing", func(h *harness, _ context.CancelFunc) {
			h.Files = func(c *pki.Credential, d fleet.Device) (delivery.Files, error) {
				if last(d) {
					return nil, errInjected
				}
				return filesOf(c, d)
			}
		}, errInjected},
		{"adding", func(h *harness, _ context.CancelFunc) {
			other, rival := h.other(), pendingEntry(boards)
			rival.Device.MAC = mac(boards + 1)
			h.Files = func(c *pki.Credential, d fleet.Device) (delivery.Files, error) {
				if last(d) { // somebody is faster
					if err := other.Add(h.Context(), []registry.Entry{rival}); err != nil {
						return nil, err
					}
				}
				return filesOf(c, d)
			}
		}, &registry.NameTakenError{MAC: mac(boards), Name: "door 7", Owner: mac(boards + 1)}},
		{"delivering", func(h *harness, _ context.CancelFunc) { h.box.before = at("deliver") }, errInjected},
		{"acknowledging the delivery", func(h *harness, _ context.CancelFunc) { h.box.after = at("deliver") }, errInjected},
		{"activating", func(h *harness, _ context.CancelFunc) {
			other, done := h.other(), false
			h.box.after = func(string) error { // somebody adds the board anew
				if _, there := h.box.delivered[mac(boards)]; !there || done {
					return nil
				}
				done = true
				return other.Add(h.Context(), []registry.Entry{pendingEntry(boards)})
			}
		}, &registry.StateError{MAC: mac(boards), State: fleet.Pending, Change: "activate"}},
		{"the caller's patience", func(h *harness, cancel context.CancelFunc) {
			h.box.after = func(string) error { cancel(); return nil }
		}, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tt.prepare(h, cancel)
			enrolled, _, err := h.Enroll(ctx, ask(boards))
			if err == nil || !errors.Is(err, tt.want) && err.Error() != tt.want.Error() {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if active := h.check(); active != len(enrolled) || active == boards {
				t.Errorf("%d active, %d told of", active, len(enrolled))
			}
			h.Files, h.box.before, h.box.after = filesOf, works, works
			asked := ask(boards)
			if tt.name == "adding" { // the name is gone
				asked[boards-1].Name = ""
			}
			again, skipped, err := h.Enroll(t.Context(), asked)
			h.ok(err)
			if len(again)+len(skipped) != boards || len(skipped) != len(enrolled) {
				t.Errorf("then %d enrolled, %d skipped; first %d", len(again), len(skipped), len(enrolled))
			}
			h.whole(boards)
		})
	}
}

// What a list takes while it is carried out is bounded by its batches, and by some
// bytes a board for what must not stand twice: a million boards fit anywhere.
func TestListInFlatMemory(t *testing.T) {
	const boards, most = 200_000, 128
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	x := newIndex()
	before := heap()
	for i := range boards {
		r := Request{Where: Place{"list:", i + 2}, MAC: mac(i), Name: fmt.Sprintf("door %d with a long name", i)}
		if err := x.enter(r); err != nil {
			t.Fatal(err)
		}
	}
	each := float64(heap()-before) / boards
	t.Logf("%.0f bytes a board", each)
	if each > most {
		t.Errorf("%.0f bytes a board, want at most %d", each, most)
	}
	runtime.KeepAlive(x)
}

// A list is read a few rows at a time: what is planned and not yet begun is not
// held, and what is done is not either.
func TestListIsStreamed(t *testing.T) {
	const boards = 60 * batch
	h := newHarness(t)
	var done atomic.Int64
	read, ahead := 0, 0
	plan, err := h.Plan(t.Context(), func(yield func(Request, error) bool) {
		read = 0
		for _, r := range ask(boards) {
			read++
			ahead = max(ahead, read-int(done.Load()))
			if !yield(r, nil) {
				return
			}
		}
	})
	h.ok(err)
	ahead = 0
	h.ok(h.Carry(t.Context(), plan, func(fleet.Device, string) { done.Add(1) }))
	h.whole(boards)
	if most := (atOnce + 2) * batch; ahead > most {
		t.Errorf("read %d boards ahead, want at most %d", ahead, most)
	}
}

// A list that is carried out again after it was cut off has the same batches.
func TestSameBatchesAgain(t *testing.T) {
	const boards = 6*batch + 2
	h := newHarness(t)
	var first, again []string
	note := func(into *[]string) func([]delivery.Handout) {
		return func(b []delivery.Handout) { *into = append(*into, b[0].MAC.String()+"-"+b[len(b)-1].MAC.String()) }
	}
	h.box.handed = note(&first)
	n := 0
	h.box.after = func(string) error {
		if n++; n == 3 {
			return errInjected
		}
		return nil
	}
	if _, _, err := h.Enroll(t.Context(), ask(boards)); !errors.Is(err, errInjected) {
		t.Fatal(err)
	}
	h.box.handed = note(&again)
	h.enroll(ask(boards)...)
	h.whole(boards)
	if !slices.Contains(again, first[2]) {
		t.Errorf("the batch that was cut off was %s; then there were %v", first[2], again)
	}
	if all := 7; len(again) != all-2 {
		t.Errorf("%d batches, want %d", len(again), all-2)
	}
}
