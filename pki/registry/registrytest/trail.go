package registrytest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// trail wants a row for every change, in order, without the secrets.
func trail(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, password(1))
	h.ok(h.Change(ctx, MAC(1), registry.Change{Channel: new("beta")}))
	h.ok(h.Rotate(ctx, MAC(1), WithPassword(Admission(1, 1)), "", time.Second))
	h.clock.Add(time.Minute)
	bob := h.another("bob")
	h.ok(bob.Revoke(ctx, []fleet.MAC{MAC(1)}, "lost"))
	_, err := bob.Number(ctx, "esp32", "1.0", []string{"stable"}, 0, nil)
	h.ok(err)
	offer := fleet.Offer{Hardware: "esp32", Channel: "stable", Version: "1.0", Manifest: fleet.Sum(nil), Sequence: 1, Published: h.clock.Now()}
	h.ok(bob.Publish(ctx, fleet.Offer{}, offer))
	h.ok(bob.Withdraw(ctx, offer, "lost"))
	h.ok(bob.CRLNumber(ctx, func(uint64, time.Time) (time.Time, error) { return h.clock.Now(), nil }))

	var got []string
	for r, err := range h.Audit(ctx) {
		h.ok(err)
		got = append(got, strings.Join([]string{r.Who, r.Action, r.Subject}, " "))
		text := strings.ToLower(string(r.Detail))
		for _, a := range []fleet.Admission{password(1).Admission, WithPassword(Admission(1, 1))} {
			if strings.Contains(text, strings.ToLower(a.NTHash.Hex())) {
				h.Errorf("row %d tells an NT hash", r.Sequence)
			}
		}
	}
	mac := MAC(1).String()
	equal(h, "trail", got, []string{
		"alice device.add " + mac, "alice device.activate " + mac, "alice device.change " + mac,
		"alice credential.rotate " + mac, "bob credential.expire " + mac, "bob device.revoke " + mac,
		"bob release.number esp32/1.0", "bob release.publish esp32/stable", "bob release.withdraw esp32/stable",
		"bob crl.sign 1",
	})
}

func recorded(h *harness) {
	ctx := h.Context()
	for _, detail := range []string{`{"file":"a","serials":["01ab","02cd"]}`, `{"file":"b","serials":["02cd"]}`, `{"file":"100%"}`} {
		h.ok(h.Record(ctx, "delivery.seal", "boards", detail))
	}
	h.ok(h.Record(ctx, "delivery.purge", "boards", `{"serials":["01ab"]}`))
	for _, row := range []struct {
		text string
		want uint64 // zero: none
	}{{"01ab", 1}, {"02cd", 2}, {"02CD", 2}, {"03ef", 0}, {"%", 3}, {"0_ab", 0}} {
		r, err := h.Recorded(ctx, "delivery.seal", row.text)
		if r.Sequence != row.want || errors.Is(err, fleet.ErrUnknown) != (row.want == 0) {
			h.Errorf("%q: row %d, %v; want %d", row.text, r.Sequence, err, row.want)
		}
	}
}

func record(h *harness) {
	ctx := h.Context()
	for _, row := range []struct{ detail, want string }{
		{`{"a": 1}`, `{"a":1}`}, {``, `null`}, {`it's "so"`, `"it's \"so\""`}, {`12`, `12`},
	} {
		h.ok(h.Record(ctx, "radius.export", "folder", row.detail))
		var last registry.Row
		for r, err := range h.Audit(ctx) {
			h.ok(err)
			last = r
		}
		equal(h, row.detail, string(last.Detail), row.want)
		equal(h, "sum", last.Sum(), last.Hash)
		head, err := h.Head(ctx)
		h.ok(err)
		equal(h, "head", head, registry.Head{Sequence: last.Sequence, Hash: last.Hash})
	}
	h.refused(func() error { return h.Record(ctx, "", "folder", "") })
	h.refused(func() error { return h.Record(ctx, "a\nb", "folder", "") })
	h.refused(func() error { return h.Record(ctx, "a", strings.Repeat("x", 300), "") })
}

// against finds what the trail alone cannot show.
func against(h *harness) {
	ctx := h.Context()
	var heads []registry.Head
	for n := range 3 {
		head, err := h.Head(ctx)
		h.ok(err)
		heads = append(heads, head)
		Enrol(h, h.Fleet, Entry(n))
	}
	last, err := h.VerifyAudit(ctx, heads...)
	h.ok(err)
	for name, row := range map[string]struct {
		head registry.Head
		want uint64
	}{
		"cut off":        {registry.Head{Sequence: last.Sequence + 2, Hash: last.Hash}, last.Sequence + 1},
		"computed anew":  {registry.Head{Sequence: 3, Hash: heads[1].Hash}, 3},
		"empty, another": {registry.Head{Hash: last.Hash}, 0},
	} {
		_, err := h.VerifyAudit(ctx, heads[0], row.head, heads[2])
		equal(h, name, as[*registry.BrokenError](h, err).Sequence, row.want)
	}
}

// clock refuses to write into the past, but for a little.
func clock(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, Entry(1))
	last := h.clock.Now()
	h.clock.Add(-registry.ClockTolerance - time.Nanosecond)
	for name, do := range map[string]func() error{
		"add":    func() error { return h.Add(ctx, []registry.Entry{Entry(2)}) },
		"revoke": func() error { return h.Revoke(ctx, []fleet.MAC{MAC(1)}, "lost") },
		"record": func() error { return h.Record(ctx, "a", "b", "") },
	} {
		if err := h.refused(do); !errors.Is(err, registry.ErrClock) {
			h.Errorf("%s: %v", name, err)
		}
	}
	h.clock.Add(time.Nanosecond)
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(1)}, "lost"))
	equal(h, "time of a change by a slow clock", h.device(MAC(1)).Changed, last)
}

func stamp(h *harness) {
	ctx := h.Context()
	bob := h.another("bob")
	last, err := h.Stamp(ctx)
	h.ok(err)
	for name, do := range map[string]func() error{
		"own":       func() error { return h.Add(ctx, []registry.Entry{Entry(1)}) },
		"another's": func() error { return bob.Add(ctx, []registry.Entry{Entry(2)}) },
	} {
		h.ok(do())
		for _, f := range []*registry.Fleet{h.Fleet, bob} {
			next, err := f.Stamp(ctx)
			h.ok(err)
			if next <= last {
				h.Errorf("%s change: stamp %d after %d", name, next, last)
			}
		}
		last, err = h.Stamp(ctx)
		h.ok(err)
	}
	again, err := h.Stamp(ctx)
	h.ok(err)
	equal(h, "without a change", again, last)
}

func readOnly(h *harness) {
	ctx := h.Context()
	reader := h.open(h.T, registry.Options{ReadOnly: true, Now: h.clock.Now})
	Enrol(h, h.Fleet, Entry(1))
	d, err := reader.Device(ctx, MAC(1))
	h.ok(err)
	equal(h, "state", d.State, fleet.Active)
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(1)}, "lost"))
	d, err = reader.Device(ctx, MAC(1))
	h.ok(err)
	equal(h, "state after the revocation", d.State, fleet.Revoked)
	_, err = reader.VerifyAudit(ctx)
	h.ok(err)
	h.refused(func() error { return reader.Add(ctx, []registry.Entry{Entry(2)}) })
	h.refused(func() error { return reader.Record(ctx, "a", "b", "") })
	if len(h.revocations()) != 1 {
		h.Error("the reader's attempt left a trace")
	}
}

// twoEnrol lets a second enrolment come between Add and Activate of the first,
// whose delivery is then worthless.
func twoEnrol(h *harness) {
	ctx := h.Context()
	bob := h.another("bob")
	h.ok(h.Add(ctx, []registry.Entry{Entry(1)}))
	second := Entry(1)
	second.Admission = Admission(1, 1)
	h.ok(bob.Add(ctx, []registry.Entry{second}))
	e := as[*registry.StateError](h, h.refused(func() error { return h.Activate(ctx, []fleet.MAC{MAC(1)}) }))
	equal(h, "state", e.State, fleet.Pending)
	h.ok(bob.Activate(ctx, []fleet.MAC{MAC(1)}))
	equal(h, "admissions", h.device(MAC(1)).Admissions, []fleet.Admission{Admission(1, 1)})
}

// manyChange lets one of many win each step, and no step be lost.
func manyChange(h *harness) {
	ctx := h.Context()
	const boards, rivals = 10, 4
	for n := range boards {
		h.ok(h.Add(ctx, []registry.Entry{Entry(n)}))
	}
	won := make([]int, rivals)
	activate := func(f *registry.Fleet, rival int) {
		for n := range boards {
			var state *registry.StateError
			switch err := f.Activate(ctx, []fleet.MAC{MAC(n)}); {
			case err == nil:
				won[rival]++
			case !errors.As(err, &state):
				h.Error(err)
			}
			if err := f.Record(ctx, "seen", MAC(n).String(), ""); err != nil {
				h.Error(err)
			}
		}
	}
	var wait sync.WaitGroup
	for rival := range rivals {
		wait.Go(func() { activate(h.Fleet, rival) })
	}
	wait.Wait()
	sum := 0
	for _, n := range won {
		sum += n
	}
	equal(h, "activations", sum, boards)
	head, err := h.Head(ctx)
	h.ok(err)
	equal(h, "rows", head.Sequence, uint64(boards+boards+boards*rivals))
}

func cancelledContext(h *harness) {
	ctx, cancel := context.WithCancel(h.Context())
	cancel()
	err := h.refused(func() error { return h.Add(ctx, []registry.Entry{Entry(1)}) })
	if !errors.Is(err, context.Canceled) {
		h.Error(err)
	}
	for _, err := range h.Devices(ctx, registry.Filter{}) {
		if !errors.Is(err, context.Canceled) {
			h.Error(err)
		}
	}
	if _, err := h.Device(h.Context(), MAC(1)); !unknown(err) {
		h.Error(err)
	}
}
