package release

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
)

// TestCut: whatever the scheme, everything about a new release is proved.
func TestCut(t *testing.T) {
	for name, change := range map[string]func(*Request){
		"P-256":        asIs,
		"RSA-3072":     hardware(t, "esp32c3", 3, "", appKey(t, rsa3072())),
		"V1":           hardware(t, "esp32", 0, "", appKey(t, p256(21))),
		"V2 on ESP32":  hardware(t, "esp32", 300, "", appKey(t, rsa3072())),
		"V1 by choice": hardware(t, "esp32", 300, espimage.V1, appKey(t, p256(21))),
		"two app keys": twoKeys(t, 21, 22),
		"others":       func(q *Request) { q.Others = map[string][]byte{"motor": {1, 2}, "lamp": make([]byte, 30000)} },
		"small chunks": func(q *Request) { q.ChunkSize = MinChunk },
		"large chunks": func(q *Request) { q.ChunkSize = MaxChunk },
		"min loader":   func(q *Request) { q.MinLoader = "2.0.1" },
		"no audit":     func(q *Request) { q.Audit = Head{} },
		"loader":       func(q *Request) { q.Kind, q.Key = "loader", releaseKey(t, 13) },
	} {
		t.Run(name, func(t *testing.T) {
			r := mustCut(t, change)
			report, err := Verify(r, trust(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := report.Offerable(); err != nil {
				t.Error(err)
			}
			if elsewhere, err := Verify(read(r), trust(t)); err != nil || !reflect.DeepEqual(elsewhere, report) {
				t.Errorf("who has read it reports %+v, %v; want %+v", elsewhere, err, report)
			}
			for _, c := range r.Manifest.Components() {
				if got, want := len(r.Chunks[c.Name]), (int(c.Size)+c.ChunkSize-1)/c.ChunkSize*32; got != want {
					t.Errorf("%s: chunk list of %d bytes, want %d", c.Name, got, want)
				}
			}
			parsed, err := Parse(r.Signed)
			if err != nil || !reflect.DeepEqual(parsed.Manifest, r.Manifest) || parsed.Digest != r.Digest {
				t.Errorf("reads back as %+v, %v", parsed, err)
			}
		})
	}
}

// twoKeys asks for images with two signature blocks, of a chip that looks at three.
func twoKeys(t *testing.T, first, second byte) func(*Request) {
	return func(q *Request) {
		hardware(t, "esp32c6", 0, espimage.P256, appKey(t, p256(first)))(q)
		q.App = append(q.App, appKey(t, p256(second)))
	}
}

func hardware(t *testing.T, chip fleet.Chip, revision uint16, scheme espimage.Scheme, keys ...sign.App) func(*Request) {
	return func(q *Request) {
		q.Hardware.Chip, q.Hardware.MinRevision, q.Hardware.Scheme = chip, revision, scheme
		q.Image = espimage.Build(espimage.Spec{Chip: chip, MinRevision: revision, Version: q.Version, Size: 9000})
		q.App = keys
	}
}

// TestCutIsReproducible: with P-256 keys in memory a request makes one release.
func TestCutIsReproducible(t *testing.T) {
	a, b := mustCut(t, asIs), mustCut(t, asIs)
	if !reflect.DeepEqual(a, b) {
		t.Error("one request made two releases")
	}
}

// TestCutLeavesTheRequest: what the caller holds is not part of the release.
func TestCutLeavesTheRequest(t *testing.T) {
	q := request(t)
	image, sequences := bytes.Clone(q.Image), maps.Clone(q.Sequences)
	r, err := Cut(q)
	if err != nil {
		t.Fatal(err)
	}
	q.Sequences["stable"] = 99
	if r.Manifest.Sequences["stable"] != 7 || !bytes.Equal(q.Image, image) || sequences["stable"] != 7 {
		t.Error("the request and the release share what they should not")
	}
}

func TestCutRefuses(t *testing.T) {
	build := func(s espimage.Spec) []byte {
		s.Size = 20000
		return espimage.Build(s)
	}
	for name, row := range map[string]struct {
		change func(*Request)
		want   error
		says   string
	}{
		"empty image":      {func(q *Request) { q.Image = nil }, BadImage, "header"},
		"truncated image":  {func(q *Request) { q.Image = q.Image[:10000] }, BadImage, "offset"},
		"damaged image":    {func(q *Request) { q.Image = flip(q.Image, 3000) }, BadImage, "offset"},
		"trailing bytes":   {func(q *Request) { q.Image = append(bytes.Clone(q.Image), 0) }, BadImage, "offset"},
		"already signed":   {func(q *Request) { q.Image = mustCut(t, asIs).Images["app"] }, BadImage, "already signed"},
		"other chip":       {func(q *Request) { q.Image = build(espimage.Spec{Chip: "esp32"}) }, BadImage, "header at offset 12: image for esp32, hardware door is esp32c2"},
		"newer revision":   {func(q *Request) { q.Image = build(espimage.Spec{Chip: "esp32c2", MinRevision: 200}) }, BadImage, "header at offset 15: image needs chip revision 2.0"},
		"older revision":   {func(q *Request) { q.Image = build(espimage.Spec{Chip: "esp32c2", MaxRevision: 99}) }, BadImage, "header at offset 17"},
		"slot too small":   {func(q *Request) { q.Hardware.Slot = 24575 }, BadImage, "24576 when signed, does not fit the slot of hardware door, 24575"},
		"scheme of others": {func(q *Request) { q.Hardware.Scheme = espimage.RSA3072 }, BadImage, "takes p256"},
		"unknown scheme":   {func(q *Request) { q.Hardware.Scheme = "v3" }, BadImage, "v3"},
		"unknown chip":     {func(q *Request) { q.Hardware.Chip = "esp8266" }, BadImage, "esp8266"},
		"key of others":    {func(q *Request) { q.App = []sign.App{appKey(t, rsa3072())} }, BadImage, "app key 1 is a rsa3072 key"},
		"no app key":       {func(q *Request) { q.App = nil }, BadImage, "no app key"},
		"zero app key":     {func(q *Request) { q.App = []sign.App{{}} }, BadImage, "app key 1"},
		"app key twice":    {twoKeys(t, 21, 21), BadImage, "twice"},
		"too many keys":    {func(q *Request) { q.App = append(q.App, appKey(t, p256(22))) }, BadImage, "2 app keys: esp32c2 looks at 1 signature blocks"},
		"secure_version":   {func(q *Request) { q.Image = build(espimage.Spec{Chip: "esp32c2", SecureVersion: 5}) }, BadImage, "offset 36: secure_version 5, esp32c2 counts to 4"},
		"two keys for V1": {func(q *Request) {
			hardware(t, "esp32", 0, espimage.V1, appKey(t, p256(21)))(q)
			q.App = append(q.App, appKey(t, p256(22)))
		}, BadImage, "room for one"},
		"no site":        {func(q *Request) { q.Site = "" }, Invalid, "site"},
		"no version":     {func(q *Request) { q.Version = "" }, Invalid, "version"},
		"path version":   {func(q *Request) { q.Version = "../1" }, Invalid, "version"},
		"no hardware":    {func(q *Request) { q.Hardware.Name = "" }, Invalid, "hardware"},
		"other kind":     {func(q *Request) { q.Kind = "radio" }, Invalid, "kind"},
		"no channel":     {func(q *Request) { q.Sequences = nil }, Invalid, "0 channels"},
		"nine channels":  {func(q *Request) { q.Sequences = many(9) }, Invalid, "9 channels"},
		"sequence zero":  {func(q *Request) { q.Sequences = map[string]uint64{"stable": 0} }, Invalid, "count from 1"},
		"channel name":   {func(q *Request) { q.Sequences = map[string]uint64{"a b": 1} }, Invalid, "channel"},
		"chunk size":     {func(q *Request) { q.ChunkSize = 1000 }, Invalid, "chunk size 1000"},
		"second app":     {func(q *Request) { q.Others = map[string][]byte{"app": {1}} }, Invalid, "app"},
		"empty other":    {func(q *Request) { q.Others = map[string][]byte{"motor": {}} }, Invalid, "motor"},
		"five others":    {func(q *Request) { q.Others = others(5) }, Invalid, "5 other components"},
		"loader version": {func(q *Request) { q.MinLoader = "v2" }, Invalid, "loader version"},
		"half an audit":  {func(q *Request) { q.Audit.Sequence = 0 }, Invalid, "audit"},
		"too long": {func(q *Request) {
			q.Others = others(4)
			q.Sequences = many(8)
			q.Version, q.Site = strings.Repeat("1", 63), strings.Repeat("s", 63)
		}, cose.TooLong, "more than 1024"},
	} {
		t.Run(name, func(t *testing.T) {
			q := request(t)
			row.change(&q)
			_, err := Cut(q)
			meets(t, err, row.want)
			if err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %q, want it to say %q", err, row.says)
			}
		})
	}
}

func many(n int) map[string]uint64 {
	m := map[string]uint64{}
	for i := range n {
		m["a-rather-long-channel-"+strings.Repeat("c", i)] = uint64(i + 1)
	}
	return m
}

func others(n int) map[string][]byte {
	m := map[string][]byte{}
	for i := range n {
		m["a-rather-long-component-"+strings.Repeat("x", i)] = []byte{1}
	}
	return m
}

func TestCutWithoutKey(t *testing.T) {
	q := request(t)
	q.Key = sign.Release{}
	if _, err := Cut(q); err == nil {
		t.Error("cut without a release key")
	}
}

func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		change    func(*Request)
		note, why string
	}{
		"good":          {asIs, "", ""},
		"other version": {func(q *Request) { q.Version = "1.2.1" }, `calls itself version "1.2.0"`, ""},
		"no image":      {func(q *Request) { q.Image = nil }, "", "header: file of 0 bytes"},
		"no room":       {func(q *Request) { q.Hardware.Slot = 24575 }, "", "does not fit the slot"},
	} {
		q := request(t)
		tt.change(&q)
		notes, err := q.Check()
		if got := strings.Join(notes, "; "); !strings.Contains(got, tt.note) || (got == "") != (tt.note == "") {
			t.Errorf("%s: notes %q, want %q", name, got, tt.note)
		}
		if (err == nil) != (tt.why == "") || err != nil && !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %v, want %q", name, err, tt.why)
		}
	}
}

// TestRestate: an older release comes back under a higher sequence, byte for byte.
func TestRestate(t *testing.T) {
	old := mustCut(t, asIs)
	audit := Head{Sequence: 50, Hash: fleet.Sum([]byte("later"))}
	again, err := Restate(old, map[string]uint64{"stable": 9, "beta": 2}, audit, releaseKey(t, 11))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(again, trust(t)); err != nil {
		t.Error(err)
	}
	if again.Digest == old.Digest || !bytes.Equal(again.Images["app"], old.Images["app"]) {
		t.Error("want another statement of the same bytes")
	}
	want := old.Manifest
	want.Sequences, want.Audit, want.AuditSeq = map[string]uint64{"stable": 9, "beta": 2}, audit.Hash, 50
	if !reflect.DeepEqual(again.Manifest, want) {
		t.Errorf("got %+v\nwant %+v", again.Manifest, want)
	}
	if old.Manifest.Sequences["stable"] != 7 {
		t.Error("the old statement changed")
	}
	board := Board{Site: "site", Hardware: "door", Chip: "esp32c2", Channel: "stable", Sequence: 8, Counter: fleet.Counter{Count: 3}}
	if err := old.Manifest.CheckBoard(board); !errors.Is(err, Stale) {
		t.Errorf("the old statement: %v", err)
	}
	if err := again.Manifest.CheckBoard(board); err != nil {
		t.Errorf("the new statement: %v", err)
	}
}

func TestRestateRefuses(t *testing.T) {
	r := mustCut(t, asIs)
	if _, err := Restate(r, nil, Head{}, releaseKey(t, 11)); !errors.Is(err, Invalid) {
		t.Errorf("no sequence: %v", err)
	}
	if _, err := Restate(&Release{}, many(1), Head{}, releaseKey(t, 11)); !errors.Is(err, cose.Encoding) {
		t.Errorf("no release: %v", err)
	}
}

func TestChunkList(t *testing.T) {
	image := bytes.Repeat([]byte{7}, 2*MinChunk+1)
	list := ChunkList(image, MinChunk)
	first, last := fleet.Sum(image[:MinChunk]), fleet.Sum(image[2*MinChunk:])
	if want := slices.Concat(first[:], first[:], last[:]); !bytes.Equal(list, want) {
		t.Errorf("got %x, want %x", list, want)
	}
	if whole := ChunkList(image[:2*MinChunk], MinChunk); len(whole) != 64 {
		t.Errorf("two whole chunks make %d bytes", len(whole))
	}
}

// FuzzDecodeManifest: what is read is written alike.
func FuzzDecodeManifest(f *testing.F) {
	for _, v := range vectors(f) {
		if m, err := cose.Read(Type, v.signed); err == nil {
			f.Add(m.Payload)
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := DecodeManifest(payload)
		if err != nil {
			return
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(again, payload) {
			t.Errorf("%x is written as %x, %v", payload, again, err)
		}
	})
}
