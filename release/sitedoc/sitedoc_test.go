package sitedoc

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
)

// TestRoundTrip: what is signed reads back, in whatever order the lists stood.
func TestRoundTrip(t *testing.T) {
	want := example(t)
	shuffled := example(t)
	slices.Reverse(shuffled.Keys)
	slices.Reverse(shuffled.Roots.Keys)
	slices.Reverse(shuffled.TLSIssuers)
	a, b := signed(t, want, 1, 2), signed(t, shuffled, 2, 1)
	if !slices.Equal(a, b) {
		t.Error("one document has two encodings")
	}
	got, err := Verify(a, trust(t, 2, 1, 2, 3))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// TestEncodeRefuses lists what no document can say.
func TestEncodeRefuses(t *testing.T) {
	many := func(n int) (list []fleet.Digest) {
		for i := range n {
			list = append(list, digest(uint32(i)))
		}
		return list
	}
	for name, change := range map[string]func(*Doc){
		"no site":               func(d *Doc) { d.Site = "" },
		"no epoch":              func(d *Doc) { d.Epoch = 0 },
		"no release key":        func(d *Doc) { d.Keys = nil },
		"17 release keys":       func(d *Doc) { d.Keys = make([]ReleaseKey, MaxKeys+1) },
		"release key twice":     func(d *Doc) { d.Keys = append(d.Keys, d.Keys[0]) },
		"release key off curve": func(d *Doc) { d.Keys[0].Key = cose.Key{1} },
		"no kind":               func(d *Doc) { d.Keys[0].Kind = "" },
		"hardware twice":        func(d *Doc) { d.Keys[0].Hardware = []string{"door", "door"} },
		"hardware name":         func(d *Doc) { d.Keys[0].Hardware = []string{"a b"} },
		"nine hardware":         func(d *Doc) { d.Keys[0].Hardware = strings.Split("a b c d e f g h i", " ") },
		"no root":               func(d *Doc) { d.Roots = Roots{Threshold: 1} },
		"four roots":            func(d *Doc) { d.Roots = trust(t, 2, 1, 2, 3, 4) },
		"negative threshold":    func(d *Doc) { d.Roots.Threshold = -1 },
		"five endpoints":        func(d *Doc) { d.Endpoints = []string{"a:1", "b:1", "c:1", "d:1", "e:1"} },
		"endpoint twice":        func(d *Doc) { d.Endpoints = []string{"a:1", "a:1"} },
		"port 0":                func(d *Doc) { d.Endpoints = []string{"a:0"} },
		"port 65536":            func(d *Doc) { d.Endpoints = []string{"a:65536"} },
		"port with a zero":      func(d *Doc) { d.Endpoints = []string{"a:080"} },
		"named port":            func(d *Doc) { d.Endpoints = []string{"a:http"} },
		"no host":               func(d *Doc) { d.Endpoints = []string{":1"} },
		"host with a newline":   func(d *Doc) { d.Endpoints = []string{"a\nb:1"} },
		"host in brackets":      func(d *Doc) { d.Endpoints = []string{"[host]:1"} },
		"long host":             func(d *Doc) { d.Endpoints = []string{strings.Repeat("a.", 64) + "a:1"} },
		"empty label":           func(d *Doc) { d.Endpoints = []string{"a..b:1"} },
		"no RADIUS name":        func(d *Doc) { d.Names.RADIUS = "" },
		"wildcard name":         func(d *Doc) { d.Names.Update = "*.site" },
		"name ends in a hyphen": func(d *Doc) { d.Names.Update = "a-.site" },
		"no EAP issuer":         func(d *Doc) { d.EAPIssuers = nil },
		"five TLS issuers":      func(d *Doc) { d.TLSIssuers = many(5) },
		"empty issuer":          func(d *Doc) { d.TLSIssuers = []fleet.Digest{{}} },
		"issuer twice":          func(d *Doc) { d.TLSIssuers = []fleet.Digest{digest(1), digest(1)} },
		"floor of no hardware":  func(d *Doc) { d.Floors[""] = fleet.Counter{} },
		"33 floors": func(d *Doc) {
			for i := range byte(MaxFloors) {
				d.Floors[fmt.Sprint("h", i)] = fleet.Counter{}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := with(t, change).Encode()
			if payload != nil {
				t.Errorf("encoded as %x", payload)
			}
			meets(t, err, Invalid)
		})
	}
}

// TestSignRefuses: no document leaves that nobody would take.
func TestSignRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		doc   *Doc
		roots []byte
		want  error
	}{
		"no quorum":         {example(t), []byte{1}, cose.Untrusted},
		"strangers":         {example(t), []byte{7, 8}, cose.Untrusted},
		"one root twice":    {example(t), []byte{1, 1}, cose.Profile},
		"nobody":            {example(t), nil, cose.Profile},
		"old roots only":    {with(t, func(d *Doc) { d.Roots = trust(t, 1, 4) }), []byte{1, 2}, cose.Untrusted},
		"what cannot be":    {with(t, func(d *Doc) { d.Epoch = 0 }), []byte{1, 2}, Invalid},
		"longer than 4 KiB": {with(t, long), []byte{1, 2}, cose.TooLong},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Sign(row.doc, rootsOf(t, row.roots...)...)
			meets(t, err, row.want)
		})
	}
}

func long(d *Doc) {
	for i := range byte(MaxFloors - 2) {
		d.Floors[fmt.Sprint(strings.Repeat("h", 60), i)] = fleet.Counter{}
	}
	d.Endpoints = nil
	for _, c := range "abcd" {
		d.Endpoints = append(d.Endpoints, strings.Repeat(string(c)+".", 60)+"a:1")
	}
	d.Keys[0].Hardware = nil
	for _, c := range "abcdefgh" {
		d.Keys[0].Hardware = append(d.Keys[0].Hardware, strings.Repeat(string(c), 63))
	}
	d.Keys[1].Hardware, d.Keys[2].Hardware = d.Keys[0].Hardware, d.Keys[0].Hardware
}

func TestFollowKeepsTheOld(t *testing.T) {
	d := example(t)
	if next, err := d.Follow(signed(t, example(t), 1, 2)); next != nil || !errors.Is(err, Succession) {
		t.Errorf("got %v, %v", next, err)
	}
	if !reflect.DeepEqual(d, example(t)) {
		t.Error("the document changed")
	}
}

func TestChainOfNone(t *testing.T) {
	if d, err := Chain(trust(t, 1, 1)); d != nil || err == nil {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestVerifyTrustsNobody(t *testing.T) {
	if _, err := Verify(signed(t, example(t), 1, 2), Roots{}); err == nil {
		t.Error("no roots and no threshold trust anything")
	}
}

func TestReleaseKey(t *testing.T) {
	any, some := root(t, 11).Key(), root(t, 12).Key()
	for name, row := range map[string]struct {
		key      cose.Key
		kind     Kind
		hardware string
		want     error
	}{
		"any hardware":             {any, Firmware, "gate", nil},
		"listed":                   {some, Firmware, "lamp", nil},
		"listed for loaders":       {some, Loader, "door", nil},
		"not listed":               {some, Firmware, "gate", Scope},
		"not listed for loaders":   {some, Loader, "lamp", Scope},
		"other kind":               {any, Loader, "door", Scope},
		"unknown":                  {root(t, 13).Key(), Firmware, "door", cose.Untrusted},
		"a root signs no releases": {root(t, 1).Key(), Firmware, "door", cose.Untrusted},
	} {
		got, err := example(t).ReleaseKey(row.key.ID(), row.kind, row.hardware)
		if !errors.Is(err, row.want) || row.want == nil && got != row.key {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, row.want)
		}
	}
}

func TestCheckCounter(t *testing.T) {
	for name, row := range map[string]struct {
		hardware string
		counter  fleet.Counter
		ok       bool
	}{
		"at the floor":                       {"door", fleet.Counter{Generation: 1, Count: 3}, true},
		"above":                              {"door", fleet.Counter{Generation: 1, Count: 4}, true},
		"below":                              {"door", fleet.Counter{Generation: 1, Count: 2}, false},
		"older generation, highest count":    {"door", fleet.Counter{Count: ^uint32(0)}, false},
		"a generation that has not begun":    {"door", fleet.Counter{Generation: 2}, false},
		"no floor":                           {"gate", fleet.Counter{}, true},
		"no floor, not begun":                {"gate", fleet.Counter{Generation: 2}, false},
		"floor in the generation before":     {"lamp", fleet.Counter{Count: 9}, true},
		"below, in the generation before":    {"lamp", fleet.Counter{Count: 8}, false},
		"this generation, floor in the last": {"lamp", fleet.Counter{Generation: 1}, true},
	} {
		if err := example(t).CheckCounter(row.hardware, row.counter); (err == nil) != row.ok || err != nil && !errors.Is(err, Counter) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// FuzzVerify: nothing but what is signed is taken, and what decodes encodes to
// the same bytes.
func FuzzVerify(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.signed[len(v.signed)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := cose.Read(Type, b)
		if err != nil {
			return
		}
		d, err := Decode(m.Payload)
		if err != nil {
			return
		}
		if again, err := d.Encode(); err != nil || !slices.Equal(again, m.Payload) {
			t.Errorf("%x encodes as %x, %v", m.Payload, again, err)
		}
		if _, err := Verify(b, Roots{Keys: []cose.Key{{1}}, Threshold: 1}); err == nil {
			t.Error("taken without a trusted signature")
		}
	})
}
