package release

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// vectors makes every vector, named after its file.
func vectors(t testing.TB) map[string]vector {
	all := map[string]vector{}
	add := func(name, comment string, fault error, signed []byte) {
		all[name] = vector{comment: comment, fault: fault, key: releaseKey(t, 11).Key(), signed: signed}
	}
	good := raw(t, Type, encode(t, example()), 11)
	add("example", "the example of the specification", nil, good)
	add("everything", "nothing is absent", nil, raw(t, Type, encode(t, everything()), 11))
	signatures(t, add, good)
	encodings(t, add)
	values(t, add)

	board := Board{Site: "site", Hardware: "door", Chip: "esp32c3", Channel: "stable", Sequence: 6,
		Counter: fleet.Counter{Count: 3}, Loader: "2.0.1"}
	boards(board, func(name, comment string, fault error, b Board) {
		all["board-"+name] = vector{comment: comment, fault: fault, key: releaseKey(t, 11).Key(), board: b,
			signed: raw(t, Type, encode(t, everything()), 11)}
	})
	again := everything()
	again.Counter = fleet.Counter{Generation: 1}
	generations(board, func(name, comment string, fault error, b Board) {
		all["generation-"+name] = vector{comment: comment, fault: fault, key: releaseKey(t, 11).Key(), board: b,
			signed: raw(t, Type, encode(t, again), 11)}
	})
	update := raw(t, Type, encode(t, loaderUpdate()), 11)
	add("loader", "a release of a loader", nil, update)
	for name, version := range map[string]string{"name": "2.1.0", "prefix": "Loader-2.1.0", "short": "loader-2.1", "zero": "loader-2.01.0", "wide": "loader-2.1.65536"} {
		m := bytes.Replace(encode(t, loaderUpdate()), []byte("\x6cloader-2.1.0"), append([]byte{0x60 + byte(len(version))}, version...), 1)
		add("loader-"+name, "a release of a loader that is called "+version, Invalid, raw(t, Type, m, 11))
	}
	application := board
	application.Kind, application.Sequence, application.Counter = sitedoc.Loader, 0, fleet.Counter{}
	loaderBoards(application, func(name, comment string, fault error, b Board) {
		all["loader-board-"+name] = vector{comment: comment, fault: fault, key: releaseKey(t, 11).Key(), board: b, signed: update}
	})
	all["loader-board-firmware"] = vector{comment: "firmware, for an application that asks for a loader", fault: OtherBoard,
		key: releaseKey(t, 11).Key(), board: application, signed: good}
	return all
}

// loaderUpdate is the example as a release of a loader.
func loaderUpdate() Manifest {
	m := example()
	m.Kind, m.Version, m.Sequences = sitedoc.Loader, "loader-2.1.0", map[string]uint64{"loader-stable": 1}
	return m
}

func loaderBoards(good Board, add func(name, comment string, fault error, b Board)) {
	with := func(change func(*Board)) Board {
		b := good
		change(&b)
		return b
	}
	add("takes", "an application whose loader is older", nil, good)
	add("far-older", "a loader that is older, though not as text", nil, with(func(b *Board) { b.Loader = "1.10.65535" }))
	add("same", "the loader that runs", Stale, with(func(b *Board) { b.Loader = "2.1.0" }))
	add("newer", "a loader that is newer, though not as text", Stale, with(func(b *Board) { b.Loader = "10.0.0" }))
	add("asks-for-firmware", "a loader, which asks for firmware", OtherBoard, with(func(b *Board) { b.Kind = "" }))
	add("on-its-channel", "a board that follows the channel of loaders itself", OtherBoard, with(func(b *Board) { b.Channel = "loader-stable" }))
	add("other-channel", "a board that follows another channel", OtherBoard, with(func(b *Board) { b.Channel = "canary" }))
	add("other-hardware", "a board of another hardware", OtherBoard, with(func(b *Board) { b.Hardware = "lamp" }))
	add("other-chip", "a board with another chip", OtherBoard, with(func(b *Board) { b.Chip = "esp32" }))
}

func signatures(t testing.TB, add func(name, comment string, fault error, signed []byte), good []byte) {
	payload := encode(t, example())
	add("other-key", "signed by another key", cose.Untrusted, raw(t, Type, payload, 12))
	add("site-type", "signed as a site document", cose.Type, raw(t, "application/vnd.tcpboot.site.v1", payload, 11))
	add("forged", "one bit of the signature changed", cose.Forged, flip(good, len(good)-1))
	version := bytes.Index(good, []byte("1.2.0"))
	add("other-version", "another version under the signature", cose.Forged, flip(good, version))
	k := releaseKey(t, 11)
	several, err := cose.Sign(Type, payload, cose.Signer{Key: k.Key(), Sign: k.SignManifest})
	if err != nil {
		t.Fatal(err)
	}
	add("cose-sign", "a COSE_Sign", cose.Encoding, several)
	add("too-long", "a byte more than a manifest may have", cose.TooLong, make([]byte, MaxSigned+1))
}

// spoiler signs the payload of the example after a change of its bytes: keys are
// small, so that a change is a splice.
func spoiler(t testing.TB) func(old, new string) []byte {
	return func(old, new string) []byte {
		t.Helper()
		payload := encode(t, everything())
		if bytes.Count(payload, []byte(old)) != 1 {
			t.Fatalf("%x is there %d times", old, bytes.Count(payload, []byte(old)))
		}
		return raw(t, Type, bytes.Replace(payload, []byte(old), []byte(new), 1), 11)
	}
}

func encodings(t testing.TB, add func(name, comment string, fault error, signed []byte)) {
	spoil := spoiler(t)
	head := "\xab\x01\x64site\x02\x01"
	audit := "\x0b\x82\x18\x28\x58\x20"

	add("unknown-key", "a twelfth key", cose.Encoding,
		raw(t, Type, append(bytes.Replace(encode(t, everything()), []byte{0xab, 1}, []byte{0xac, 1}, 1), 12, 1), 11))
	add("missing-key", "no kind", cose.Encoding, spoil(head, "\xaa\x01\x64site"))
	add("unsorted", "kind before site", cose.Encoding, spoil(head, "\xab\x02\x01\x01\x64site"))
	add("duplicate-key", "two kinds", cose.Encoding, spoil(head, "\xac\x01\x64site\x02\x01\x02\x01"))
	add("long-integer", "the kind in two bytes", cose.Encoding, spoil(head, "\xab\x01\x64site\x02\x18\x01"))
	add("indefinite", "a map of indefinite length", cose.Encoding,
		raw(t, Type, append(append([]byte{0xbf}, encode(t, everything())[1:]...), 0xff), 11))
	add("trailing", "a byte after the map", cose.Encoding, raw(t, Type, append(encode(t, everything()), 0), 11))
	add("bytes-for-text", "the site as bytes", cose.Encoding, spoil(head, "\xab\x01\x44site\x02\x01"))
	add("float", "the kind as a floating-point number", cose.Encoding, spoil(head, "\xab\x01\x64site\x02\xf9\x3c\x00"))
	add("null", "no audit trail, as null", cose.Encoding,
		raw(t, Type, append(bytes.Replace(encode(t, example()), []byte{0xa8, 1}, []byte{0xa9, 1}, 1), 11, 0xf6), 11))
	add("empty-others", "no other component, as an empty list", cose.Encoding,
		raw(t, Type, append(bytes.Replace(encode(t, example()), []byte{0xa8, 1}, []byte{0xa9, 1}, 1), 10, 0x80), 11))
	add("short-digest", "an audit head of 31 bytes", cose.Encoding,
		spoil(audit+string(bytesOf(everything().Audit)), "\x0b\x82\x18\x28\x58\x1f"+string(bytesOf(everything().Audit)[:31])))
	add("negative-size", "a size below zero", Invalid, spoil("\x02\x01\x03\x58\x20", "\x02\x20\x03\x58\x20"))
	add("channels-unsorted", "channels in another order", cose.Encoding,
		spoil("\x64beta\x0c\x66stable\x07", "\x66stable\x07\x64beta\x0c"))
	add("channel-twice", "one channel with two sequences", cose.Encoding,
		spoil("\x64beta\x0c\x66stable\x07", "\x66stable\x06\x66stable\x07"))
	add("wide-counter", "a counter of 33 bits", cose.Encoding,
		spoil("\x07\x82\x00\x03", "\x07\x82\x00\x1b\x00\x00\x00\x01\x00\x00\x00\x00"))
	add("wide-loader", "a loader version of 17 bits", cose.Encoding, spoil("\x08\x83\x02\x00\x01", "\x08\x83\x02\x00\x1a\x00\x01\x00\x00"))
}

func values(t testing.TB, add func(name, comment string, fault error, signed []byte)) {
	spoil := spoiler(t)
	size := func(n uint32) string { return "\x02\x1a" + string(binary.BigEndian.AppendUint32(nil, n)) + "\x03" }
	motor := size(70000)

	add("kind-zero", "a kind that does not exist", Invalid, spoil("\x64site\x02\x01", "\x64site\x02\x00"))
	add("site-empty", "no site", Invalid, spoil("\x01\x64site", "\x01\x60"))
	add("hardware-path", "a hardware with a slash", Invalid, spoil("\x64door", "\x64../d"))
	add("version-long", "a version of 64 letters", Invalid, spoil("\x651.2.0", "\x78\x40"+strings.Repeat("1", 64)))
	add("chip-unknown", "a chip that nobody knows", Invalid, spoil("door\x05\x05", "door\x05\x03"))
	add("no-channel", "no channel", Invalid, raw(t, Type, bytes.Replace(encode(t, example()),
		[]byte("\x06\xa1\x66stable\x07"), []byte("\x06\xa0"), 1), 11))
	add("sequence-zero", "a sequence that never rises", Invalid, spoil("\x66stable\x07", "\x66stable\x00"))
	add("size-zero", "a component of no bytes", Invalid, spoil("\x02\x01\x03\x58\x20", "\x02\x00\x03\x58\x20"))
	add("size-large", "a byte more than 16 MiB", Invalid, spoil(motor, size(MaxImage+1)))
	add("chunk-small", "chunks of 2048 bytes", Invalid, spoil("\x04\x19\x10\x00", "\x04\x19\x08\x00"))
	add("chunk-uneven", "chunks that are no whole sectors", Invalid, spoil("\x04\x19\x10\x00", "\x04\x19\x10\x01"))
	add("chunk-large", "chunks of 20480 bytes", Invalid, spoil("\x04\x19\x10\x00", "\x04\x19\x50\x00"))
	add("image-name", "an image of another name", Invalid, spoil("\x63app", "\x63apq"))
	add("image-twice", "a second image", Invalid, spoil("\x65motor", "\x63app"))
	add("others-falling", "components in falling order", Invalid, spoil("\x65motor", "\x65tower"))
	add("digest-zero", "a digest of nothing", Invalid, spoil(string(bytesOf(fleet.Sum([]byte("motor")))), strings.Repeat("\x00", 32)))
	add("audit-zero", "an audit head without a sequence", Invalid, spoil("\x0b\x82\x18\x28", "\x0b\x82\x00"))
}

func bytesOf(d fleet.Digest) []byte { return d[:] }

func boards(good Board, add func(name, comment string, fault error, b Board)) {
	with := func(change func(*Board)) Board {
		b := good
		change(&b)
		return b
	}
	add("takes", "the board takes it", nil, good)
	add("fresh", "a board that has installed nothing yet", nil, with(func(b *Board) { b.Sequence, b.Counter = 0, fleet.Counter{} }))
	add("newer-loader", "a loader newer than the lowest, though not as text", nil, with(func(b *Board) { b.Loader = "10.0.0" }))
	add("other-site", "a board of another site", OtherSite, with(func(b *Board) { b.Site = "Site" }))
	add("other-hardware", "a board of another hardware", OtherBoard, with(func(b *Board) { b.Hardware = "lamp" }))
	add("other-chip", "a board with another chip", OtherBoard, with(func(b *Board) { b.Chip = "esp32" }))
	add("other-channel", "a channel that the manifest does not name", OtherBoard, with(func(b *Board) { b.Channel = "canary" }))
	add("replay", "the manifest that the board has installed", Stale, with(func(b *Board) { b.Sequence = 7 }))
	add("older-sequence", "an older manifest", Stale, with(func(b *Board) { b.Sequence = 1 << 63 }))
	add("highest-sequence", "the highest sequence, of the same generation", Stale, with(func(b *Board) { b.Sequence = math.MaxUint64 }))
	add("older-counter", "a lower counter", Stale, with(func(b *Board) { b.Counter.Count = 4 }))
	add("older-generation", "a counter of an older generation", Stale, with(func(b *Board) { b.Counter = fleet.Counter{Generation: 1} }))
	add("old-loader", "a loader that is too old", OtherBoard, with(func(b *Board) { b.Loader = "2.0.0" }))
}

// generations are boards for a manifest of generation 1, whose sequence is 7.
func generations(good Board, add func(name, comment string, fault error, b Board)) {
	at := func(sequence uint64, c fleet.Counter) Board {
		b := good
		b.Sequence, b.Counter = sequence, c
		return b
	}
	add("frees", "the highest sequence and count of the generation before", nil, at(math.MaxUint64, fleet.Counter{Count: math.MaxUint32}))
	add("replay", "the same sequence, of the same generation", Stale, at(7, fleet.Counter{Generation: 1}))
	add("next", "a lower sequence, of the same generation", nil, at(6, fleet.Counter{Generation: 1}))
	add("highest", "the highest sequence, of the same generation", Stale, at(math.MaxUint64, fleet.Counter{Generation: 1}))
	add("older", "a lower sequence, of a higher generation", Stale, at(6, fleet.Counter{Generation: 2}))
}
