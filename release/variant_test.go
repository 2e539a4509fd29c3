package release

import (
	"errors"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
)

// variant returns what request cuts, by the app key n.
func variant(t *testing.T, n byte, change func(*Request)) *Release {
	return mustCut(t, func(q *Request) {
		q.App = []sign.App{appKey(t, p256(n))}
		change(q)
	})
}

// TestPickVariant: a board is given what its loader takes, whichever is offered.
func TestPickVariant(t *testing.T) {
	present, former := variant(t, 21, asIs), variant(t, 23, asIs)
	later := variant(t, 21, func(q *Request) { q.Sequences = on("stable", 8) }) // was never cut for the former
	unnoted := variant(t, 21, func(q *Request) { q.Version, q.Sequences = "0.9", on("stable", 1) })
	unnoted.AppKey = fleet.Digest{}
	catalog := NewCatalog(former, present, later, unnoted)
	old, newer := keyDigest(t, p256(23)), keyDigest(t, p256(21))
	for name, row := range map[string]struct {
		loader fleet.Loader
		offer  *Release
		want   *Release
	}{
		"the present key":             {fleet.Loader{Level: 1, Key: newer}, present, present},
		"the former key":              {fleet.Loader{Level: 1, Key: old}, present, former},
		"the former is offered":       {fleet.Loader{Level: 1, Key: newer}, former, present},
		"of 2017":                     {fleet.Loader{Key: old}, present, present},
		"not known":                   {fleet.Loader{Level: 1}, present, present},
		"a key of nobody":             {fleet.Loader{Level: 1, Key: fleet.Sum(nil)}, present, nil},
		"none for the former":         {fleet.Loader{Level: 1, Key: old}, later, nil},
		"cut before it was noted":     {fleet.Loader{Level: 1, Key: old}, unnoted, unnoted},
		"the former, of level 2":      {fleet.Loader{Level: 2, Key: old}, present, former},
		"the present key, of level 2": {fleet.Loader{Level: 2, Key: newer}, later, later},
	} {
		d := board()
		d.Loader = row.loader
		got, err := catalog.Pick(d, []fleet.Offer{offer(row.offer, "stable")}, nil)
		if got.Release != row.want || (err == nil) != (row.want != nil) {
			t.Errorf("%s: got %v, %v", name, got.Reason, err)
		}
		d.Pin = fleet.Pin{Version: row.offer.Manifest.Version}
		got, err = catalog.Pick(d, nil, nil)
		if row.want != nil && (err != nil || got.Release.AppKey != row.want.AppKey) {
			t.Errorf("%s, pinned: got %v, %v", name, got.Reason, err)
		}
	}
	if n := len(catalog.Variants(present)); n != 2 {
		t.Errorf("%d variants, want 2", n)
	}
}

// TestVariantMislabelled: what nobody signed is proved by the image.
func TestVariantMislabelled(t *testing.T) {
	site := trust(t)
	site.App = append(site.App, keyDigest(t, p256(23)))
	good := variant(t, 23, asIs)
	report, err := Verify(good, site)
	if err != nil || !report.Proved() {
		t.Errorf("%v, %v", report, err)
	}
	for name, key := range map[string]fleet.Digest{"another of the site's": keyDigest(t, p256(21)), "a stranger's": fleet.Sum(nil)} {
		bad := *good
		bad.AppKey = key
		if _, err := Verify(&bad, site); !errors.Is(err, BadImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	v1 := mustCut(t, hardware(t, "esp32", 0, espimage.V1, appKey(t, p256(21))))
	if report, err = Verify(v1, site); err != nil || !report.Proved() {
		t.Errorf("%v, %v", report, err)
	}
	v1.AppKey = keyDigest(t, p256(23))
	if _, err := Verify(v1, site); !errors.Is(err, BadImage) {
		t.Errorf("V1: %v", err)
	}
}
