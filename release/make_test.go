package release

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// p256 returns the key whose private scalar is n.
func p256(n byte) *ecdsa.PrivateKey {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), n))
	if err != nil {
		panic(err)
	}
	return key
}

var rsa3072 = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		panic(err)
	}
	return key
})

func releaseKey(t testing.TB, n byte) sign.Release {
	t.Helper()
	k, err := sign.NewRelease(p256(n))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func appKey(t testing.TB, key crypto.Signer) sign.App {
	t.Helper()
	k, err := sign.NewApp(key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keyDigest(t testing.TB, key crypto.Signer) fleet.Digest {
	t.Helper()
	d, err := espimage.KeyDigest(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// c2 is a hardware whose images are signed by P-256, so that whole releases are
// reproducible.
var c2 = Hardware{Name: "door", Chip: "esp32c2", MinRevision: 100, Slot: 0x100000}

// request returns a good request for c2: release key 11, app key 21.
func request(t testing.TB) Request {
	return Request{
		Site: "site", Version: "1.2.0", Hardware: c2,
		Image:     espimage.Build(espimage.Spec{Chip: "esp32c2", MinRevision: 100, Project: "door", Version: "1.2.0", Size: 20000}),
		Counter:   fleet.Counter{Count: 3},
		Sequences: map[string]uint64{"stable": 7},
		Audit:     Head{Sequence: 40, Hash: fleet.Sum([]byte("audit"))},
		App:       []sign.App{appKey(t, p256(21))},
		Key:       releaseKey(t, 11),
	}
}

// site returns a document that trusts release key 11 with any hardware, 12 with
// lamp only, and 13 with loaders only.
func site(t testing.TB) *sitedoc.Doc {
	key := func(n byte) cose.Key { return releaseKey(t, n).Key() }
	return &sitedoc.Doc{
		Site: "site",
		Keys: []sitedoc.ReleaseKey{
			{Key: key(11), Kind: sitedoc.Firmware},
			{Key: key(12), Kind: sitedoc.Firmware, Hardware: []string{"lamp"}},
			{Key: key(13), Kind: sitedoc.Loader},
		},
		Floors: map[string]fleet.Counter{"door": {Count: 2}},
	}
}

func trust(t testing.TB) Trust {
	return Trust{
		Site:  site(t),
		App:   []fleet.Digest{keyDigest(t, p256(21)), keyDigest(t, rsa3072())},
		AppV1: []*ecdsa.PublicKey{&p256(22).PublicKey, &p256(21).PublicKey},
	}
}

func mustCut(t testing.TB, change func(*Request)) *Release {
	t.Helper()
	q := request(t)
	change(&q)
	r, err := Cut(q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func asIs(*Request) {}

// read returns r as another process has it, to which nothing is known of it.
func read(r *Release) *Release {
	c := *r
	c.made = nil
	return &c
}

// example is the manifest of the package comment.
func example() Manifest {
	return Manifest{
		Site: "site", Kind: sitedoc.Firmware, Version: "1.2.0", Hardware: "door", Chip: "esp32c3",
		Counter: fleet.Counter{Count: 3}, Sequences: map[string]uint64{"stable": 7},
		Image: Component{Name: "app", Size: 520, Digest: fleet.Sum([]byte("image")), ChunkSize: 8192, Chunks: fleet.Sum([]byte("list"))},
	}
}

// everything is a manifest in which nothing is absent.
func everything() Manifest {
	m := example()
	m.Sequences = map[string]uint64{"stable": 7, "beta": 12, "a-longer-name": 1 << 40}
	m.MinLoader = "2.0.1"
	m.Others = []Component{
		{Name: "motor", Size: 70000, Digest: fleet.Sum([]byte("motor")), ChunkSize: 4096, Chunks: fleet.Sum([]byte("motor list"))},
		{Name: "sensor", Size: 1, Digest: fleet.Sum([]byte("sensor")), ChunkSize: 16384, Chunks: fleet.Sum([]byte("sensor list"))},
	}
	m.AuditSeq, m.Audit = 40, fleet.Sum([]byte("audit"))
	return m
}

// raw signs any payload as a release key could that uses other software.
func raw(t testing.TB, typ string, payload []byte, key byte) []byte {
	t.Helper()
	k := releaseKey(t, key)
	b, err := cose.Sign1(typ, payload, cose.Signer{Key: k.Key(), Sign: k.SignManifest})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encode(t testing.TB, m Manifest) []byte {
	t.Helper()
	payload, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}
