package registrytest

import (
	"errors"
	"math"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

func offers(h *harness) {
	ctx := h.Context()
	offer := func(channel, version string, sequence uint64) fleet.Offer {
		return fleet.Offer{Hardware: "esp32", Channel: channel, Version: version, Manifest: fleet.Sum([]byte(version)),
			Sequence: sequence, Percent: 100, Published: h.clock.Now()}
	}
	one, two, beta := offer("stable", "1.0", 1), offer("stable", "1.1", 3), offer("beta", "1.1", 1)
	h.ok(h.Publish(ctx, fleet.Offer{}, one))
	h.ok(h.Publish(ctx, fleet.Offer{}, beta))
	h.ok(h.Publish(ctx, one, two))
	list := func(what string, want ...fleet.Offer) {
		h.Helper()
		got, err := h.Offers(ctx)
		h.ok(err)
		equal(h, what, got, want)
	}
	list("published", beta, two)

	other := two
	other.Manifest = fleet.Sum([]byte("other"))
	renamed := two
	renamed.Version = "1.1.1"
	tooMuch, noManifest, zero := offer("stable", "2", 9), offer("stable", "2", 9), offer("stable", "2", 0)
	tooMuch.Percent, noManifest.Manifest = 101, fleet.Digest{}
	huge, path := offer("stable", "2", math.MaxUint64), offer("../x", "2", 9)
	for _, o := range []fleet.Offer{one, offer("stable", "1.2", 2), other, renamed, tooMuch, noManifest, zero, huge, path} {
		h.refused(func() error { return h.Publish(ctx, two, o) })
	}
	was := two
	two.Percent, two.Paused = 10, true
	h.ok(h.Publish(ctx, was, two))
	list("paused", beta, two)

	was = two
	two.Reason, two.Previous = "as a trial", &one
	two.Plan = fleet.Plan{Waves: []fleet.Wave{{Count: 5, Below: 1 << 32}, {Percent: 100}}, Since: h.clock.Now(), Advance: 95, Within: 3600, Stopped: "5 failed"}
	h.ok(h.Publish(ctx, was, two))
	list("planned", beta, two)
	change := func(channel string, change func(*fleet.Offer) error) error {
		_, err := h.ChangeOffer(ctx, "release.approve", "esp32", channel, change)
		return err
	}
	h.ok(change("stable", func(o *fleet.Offer) error {
		equal(h, "handed to change", *o, two)
		o.Plan.Wave, o.Plan.Waves[0].Count = 1, 6
		return nil
	}))
	two.Plan.Wave, two.Plan.Waves = 1, []fleet.Wave{{Count: 6, Below: 1 << 32}, {Percent: 100}}
	list("changed", beta, two)
	no := errors.New("not now")
	for _, row := range []struct {
		channel string
		change  func(*fleet.Offer) error
	}{
		{"stable", func(o *fleet.Offer) error { o.Paused = false; return no }},
		{"stable", func(o *fleet.Offer) error { o.Percent = 101; return nil }},
		{"gamma", func(*fleet.Offer) error { return nil }},
	} {
		h.refused(func() error { return change(row.channel, row.change) })
	}
	before, err := h.Stamp(ctx)
	h.ok(err)
	h.ok(change("stable", func(*fleet.Offer) error { return nil }))
	after, err := h.Stamp(ctx)
	h.ok(err)
	equal(h, "trail after no change", after, before)
	list("not changed", beta, two)

	next := offer("stable", "1.2", 4)
	for what, change := range map[string]func() error{
		"published over what was approved meanwhile":  func() error { return h.Publish(ctx, was, next) },
		"published over what was published meanwhile": func() error { return h.Publish(ctx, fleet.Offer{}, next) },
		"withdrawn though it was approved meanwhile":  func() error { return h.Withdraw(ctx, was, "") },
	} {
		if err := h.refused(change); !errors.Is(err, registry.ErrChanged) {
			h.Errorf("%s: %v", what, err)
		}
	}
	h.refused(func() error { return h.Withdraw(ctx, two, "a\nb") })
	h.ok(h.Withdraw(ctx, two, "smoke"))
	list("withdrawn", beta)
	for _, change := range []func() error{
		func() error { return h.Withdraw(ctx, two, "") },
		func() error { return h.Publish(ctx, two, next) },
	} {
		if err := h.refused(change); !errors.Is(err, registry.ErrChanged) {
			h.Error(err)
		}
	}
	h.refused(func() error { return change("stable", func(o *fleet.Offer) error { o.Paused = false; return nil }) })
	h.refused(func() error { return h.Publish(ctx, fleet.Offer{}, one) })
	n, err := h.Number(ctx, "esp32", "1.2", []string{"stable"}, 0, nil)
	h.ok(err)
	equal(h, "sequence after what was published", n.Sequences["stable"], 4)
}

func numbers(h *harness) {
	ctx := h.Context()
	number := func(hardware string, count *uint32, channels ...string) (registry.Numbers, error) {
		return h.Number(ctx, hardware, "1.0", channels, 0, count)
	}
	n, err := number("esp32", nil, "stable", "beta")
	h.ok(err)
	head, err := h.Head(ctx)
	h.ok(err)
	equal(h, "first", n, registry.Numbers{Counter: fleet.Counter{Count: 1}, Sequences: map[string]uint64{"stable": 1, "beta": 1}, Audit: head})
	for _, row := range []struct {
		name     string
		hardware string
		count    *uint32
		want     uint32 // 0: refused
	}{
		{"jump of 16", "esp32", new(uint32(17)), 17},
		{"jump of 17", "esp32", new(uint32(34)), 0},
		{"the highest there is", "esp32", new(uint32(math.MaxUint32)), 0},
		{"lower", "esp32", new(uint32(16)), 0},
		{"zero", "esp32", new(uint32(0)), 0},
		{"given before", "esp32", new(uint32(17)), 0},
		{"next", "esp32", nil, 18},
		{"other hardware", "gate", nil, 1},
		{"other hardware, first jump", "lamp", new(uint32(17)), 0},
	} {
		n, err := number(row.hardware, row.count, "stable")
		if row.want == 0 && err == nil || row.want > 0 && err != nil || n.Counter.Count != row.want {
			h.Errorf("%s: got %d, %v, want %d", row.name, n.Counter.Count, err, row.want)
		}
	}
	n, err = h.Number(ctx, "bell", "1.0", []string{"stable"}, 3, nil)
	h.ok(err)
	equal(h, "of a later generation", n.Counter, fleet.Counter{Generation: 3, Count: 1})
	n, err = number("esp32", nil, "stable")
	h.ok(err)
	equal(h, "refused numbers use up none", n.Sequences, map[string]uint64{"stable": 4})
	for _, channels := range [][]string{nil, {"a", "a"}, {"a", "b/c"}} {
		if _, err := number("esp32", nil, channels...); err == nil {
			h.Errorf("channels %q: no error", channels)
		}
	}
}

func crlNumbers(h *harness) {
	ctx := h.Context()
	first := h.clock.Now().Add(-time.Hour)
	var calls []uint64
	sign := func(at time.Time, fail error) error {
		return h.CRLNumber(ctx, func(n uint64, previous time.Time) (time.Time, error) {
			calls = append(calls, n)
			if n == 1 != previous.IsZero() || n == 2 && !previous.Equal(first) {
				h.Errorf("number %d after %s", n, previous)
			}
			for _, err := range h.Revocations(ctx) {
				h.ok(err)
			}
			return at, fail
		})
	}
	h.ok(sign(first, nil))
	broken := errors.New("the key does not open")
	if err := h.refused(func() error { return sign(first.Add(time.Minute), broken) }); !errors.Is(err, broken) {
		h.Error(err)
	}
	h.refused(func() error { return sign(first, nil) })
	h.ok(sign(first.Add(time.Second), nil))
	equal(h, "numbers", calls, []uint64{1, 2, 2, 2})
}
