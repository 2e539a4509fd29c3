package release

import (
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// Type is the typ of a manifest.
const Type = "application/vnd.tcpboot.manifest.v1"

// Bounds that a board relies on.
const (
	MaxSigned     = 1024     // bytes of a signed manifest
	MaxImage      = 16 << 20 // bytes of one component
	MaxChannels   = 8
	MaxOthers     = 4
	MinChunk      = 4096 // a flash sector, of which a chunk size is a multiple
	MaxChunk      = 16384
	MaxChunkList  = MaxImage / MinChunk * 32
	DefaultChunk  = 8192 // list and buffer together are smallest at 3 MiB
	AppComponent  = "app"
	maxLoaderPart = 65535
)

// A Manifest states one release for one hardware. See the package comment for
// its encoding.
type Manifest struct {
	Site     string        `json:"site"`
	Kind     sitedoc.Kind  `json:"kind"`
	Version  string        `json:"version"`
	Hardware string        `json:"hardware"`
	Chip     fleet.Chip    `json:"chip"`
	Counter  fleet.Counter `json:"counter"`

	// Sequences names the channels this manifest may be offered on, and its
	// place in each: of one generation, a board takes only a manifest with a
	// higher sequence than the one it installed from that channel.
	Sequences map[string]uint64 `json:"sequences"`

	MinLoader string       `json:"min_loader,omitempty"` // lowest loader version that may install it, "2.0.1"
	Image     Component    `json:"image"`
	Others    []Component  `json:"others,omitempty"` // images for chips behind the board, by name
	Audit     fleet.Digest `json:"audit,omitzero"`   // head of the audit trail when it was cut
	AuditSeq  uint64       `json:"audit_sequence,omitempty"`
}

// A Component is one image of a release, as the board receives it: signed.
type Component struct {
	Name      string       `json:"name"` // "app", or what Others call theirs
	Size      int64        `json:"size"`
	Digest    fleet.Digest `json:"digest"`
	ChunkSize int          `json:"chunk_size"` // 4096 … 16384
	Chunks    fleet.Digest `json:"chunks"`     // digest of the list of chunk digests
}

// A Release is a manifest with its signed form and the images it names.
type Release struct {
	Manifest Manifest
	Signed   []byte            // COSE_Sign1
	Digest   fleet.Digest      // of Signed: how the registry and the boards name it
	AppKey   fleet.Digest      // of the key that signed its image, which loaders trust; zero: not known
	Images   map[string][]byte // by Component.Name, never changed in place; nil where only stated
	Chunks   map[string][]byte // chunk lists, likewise

	made map[string]made // by Component.Name; nil where Cut did not make it
}

// Parse reads a signed manifest and returns the release that it states, without
// images. It does not check the signature, so that what is stored can be listed
// without keys: Verify does.
func Parse(signed []byte) (*Release, error) {
	m, _, err := open(signed)
	if err != nil {
		return nil, err
	}
	return &Release{Manifest: m, Signed: signed, Digest: fleet.Sum(signed)}, nil
}

// Components lists the image and the others.
func (m *Manifest) Components() []Component {
	return append([]Component{m.Image}, m.Others...)
}

// open reads a signed manifest; the message proves nothing yet.
func open(signed []byte) (Manifest, *cose.Message, error) {
	if len(signed) > MaxSigned {
		return Manifest{}, nil, tooLong(len(signed))
	}
	message, err := cose.Read(Type, signed)
	if err != nil {
		return Manifest{}, nil, manifestError(err)
	}
	if !message.Single {
		return Manifest{}, nil, manifestError(errNotSingle)
	}
	m, err := DecodeManifest(message.Payload)
	return m, message, err
}
