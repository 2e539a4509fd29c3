package release

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// loaderRelease returns a release of a loader, without images.
func loaderRelease(version string, sequence uint64, key byte) *Release {
	r := stated("loader-"+version, on("loader-stable", sequence), func(m *Manifest) { m.Kind = sitedoc.Loader })
	r.AppKey = fleet.Digest{key}
	return r
}

// Firmware and loaders stand side by side: neither is given to whom asks for the other.
func TestPickLoader(t *testing.T) {
	update, next := loaderRelease("2.1.0", 1, 1), loaderRelease("2.2.0", 2, 2)
	astray := stated("3.0", on("loader-stable", 9), same)
	shelf := NewCatalog(v1, v2, update, next, astray)
	oFirmware, oUpdate := offer(v2, "stable"), offer(update, "loader-stable")
	waiting := offer(next, "loader-stable")
	waiting.Percent, waiting.Previous = 0, &oUpdate
	for name, row := range map[string]struct {
		device   func(*fleet.Device)
		offers   []fleet.Offer
		firmware *Release
		loader   *Release
		reason   string // of the loader
	}{
		"both":                {nil, []fleet.Offer{oFirmware, oUpdate}, v2, update, "channel loader-stable offers it"},
		"firmware alone":      {nil, []fleet.Offer{oFirmware}, v2, nil, "channel loader-stable has nothing"},
		"loader alone":        {nil, []fleet.Offer{oUpdate}, nil, update, "sequence 1"},
		"rollout not reached": {nil, []fleet.Offer{oFirmware, waiting}, v2, update, "sequence 1"},
		"other channel":       {func(d *fleet.Device) { d.Channel = "beta" }, []fleet.Offer{oFirmware, oUpdate}, nil, nil, "channel loader-beta has nothing"},
		"pinned":              {pin("1.0"), []fleet.Offer{oFirmware, oUpdate}, v1, nil, "keeps its loader"},
		"revoked":             {inState(fleet.Revoked), []fleet.Offer{oFirmware, oUpdate}, nil, nil, "is revoked"},
		"not our loader":      {func(d *fleet.Device) { d.Loader.Level = 1 }, []fleet.Offer{oFirmware, oUpdate}, v2, nil, "does not have"},
		"trusts another key":  {func(d *fleet.Device) { d.Loader.Key = fleet.Digest{9} }, []fleet.Offer{oUpdate}, nil, update, "sequence 1"},
		"firmware among it":   {nil, []fleet.Offer{offer(astray, "loader-stable")}, nil, nil, "3.0 is of kind firmware"},
		"the channel's own":   {func(d *fleet.Device) { d.Channel = "loader-stable" }, []fleet.Offer{oUpdate}, nil, nil, "loader-loader-stable"},
	} {
		t.Run(name, func(t *testing.T) {
			d := board()
			if row.device != nil {
				row.device(&d)
			}
			if got, err := shelf.Pick(d, row.offers, nil); got.Release != row.firmware || errors.Is(err, ErrNothing) != (row.firmware == nil) {
				t.Errorf("firmware: got %+v, %v", got, err)
			}
			got, err := shelf.PickKind(sitedoc.Loader, d, row.offers, nil)
			if got.Release != row.loader || errors.Is(err, ErrNothing) != (row.loader == nil) || !strings.Contains(got.Reason, row.reason) {
				t.Errorf("loader: got %+v, %v", got, err)
			}
		})
	}
}

func TestLoaderAfter(t *testing.T) {
	first, second := loaderRelease("2.1.0", 1, 1), loaderRelease("2.10.0", 2, 2)
	catalog := NewCatalog(v1, first, second)
	said := func(r *Release, o fleet.Outcome) fleet.Report { return fleet.Report{Manifest: r.Digest, Outcome: o} }
	have := fleet.Loader{Level: 2, Version: "2.0.1", Key: fleet.Digest{7}}
	cabled := fleet.Loader{Level: 2, Version: "2.1.0", Key: fleet.Digest{7}}
	for _, row := range []struct {
		have    fleet.Loader
		reports []fleet.Report
		want    fleet.Loader
	}{
		{have, nil, have},
		{have, []fleet.Report{said(first, fleet.Activated)}, have},
		{have, []fleet.Report{said(first, fleet.Failed), said(v1, fleet.Confirmed)}, have},
		{have, []fleet.Report{said(first, fleet.Confirmed)}, first.Loader()},
		{have, []fleet.Report{said(first, fleet.Confirmed), said(second, fleet.Confirmed)}, second.Loader()},
		{have, []fleet.Report{said(second, fleet.Confirmed), said(first, fleet.Confirmed)}, second.Loader()},
		{fleet.Loader{}, []fleet.Report{said(first, fleet.Confirmed)}, first.Loader()},
		{cabled, []fleet.Report{said(first, fleet.Confirmed)}, cabled},
	} {
		if got, changed := catalog.LoaderAfter(row.have, row.reports); got != row.want || changed != (got != row.have) {
			t.Errorf("%+v: got %+v, %v, want %+v", row.reports, got, changed, row.want)
		}
	}
	if got := fmt.Sprint(Loaders([]*Release{second, v1, first})); got != fmt.Sprint([]*Release{first, second}) {
		t.Errorf("in the order of versions: %s", got)
	}
}
