package mcuboot

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// manifest is the vectors' own account of themselves.
type manifest struct {
	Images    []vectorImage
	Negatives []vectorNegative
}

type vectorImage struct {
	File, Args, Plain string
	SignKey           string `json:"sign_key"`
	EncKey            string `json:"enc_key"`
	Bootloader        result
	ImgtoolVerify     string `json:"imgtool_verify"`
}

type vectorNegative struct {
	File       string
	MadeFrom   string `json:"made_from"`
	Bootloader result
	AllowList  *result `json:"bootloader_allow_list"`
}

type result struct{ Result string }

func vectors(t testing.TB) (m manifest) {
	t.Helper()
	if err := json.Unmarshal(vector(t, "manifest.json"), &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Images) != 41 || len(m.Negatives) != 53 {
		t.Fatalf("manifest.json: %d images and %d negatives", len(m.Images), len(m.Negatives))
	}
	return m
}

func vector(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// private opens one of the published keys.
func private(t testing.TB, name string) any {
	t.Helper()
	text := vector(t, "keys/"+name)
	if strings.HasSuffix(name, ".b64") {
		return unbase64(t, text)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatalf("keys/%s: %v", name, err)
	}
	return key
}

func unbase64(t testing.TB, text []byte) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func signer(t testing.TB, name string) crypto.Signer {
	t.Helper()
	return private(t, name+".pem").(crypto.Signer)
}

func identity(t testing.TB, name string) Identity {
	t.Helper()
	id, err := NewIdentity(private(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// trust holds the keys that belong to a vector.
func (v vectorImage) trust(t testing.TB) (trust Trust) {
	key := v.SignKey
	if key == "" { // unsigned: any key will do to find that out
		key = "ec256"
	}
	trust.Keys = []crypto.PublicKey{signer(t, key).Public()}
	if v.EncKey != "" {
		trust.Decrypt = []Identity{identity(t, v.EncKey)}
	}
	return trust
}

func (m manifest) image(t testing.TB, file string) vectorImage {
	t.Helper()
	for _, v := range m.Images {
		if v.File == file {
			return v
		}
	}
	t.Fatalf("manifest.json: no %s", file)
	return vectorImage{}
}

// isImage leaves out what is not an image, and those that are HEX, which are
// read elsewhere.
func (v vectorImage) isImage() bool { return v.Plain != "" && strings.HasSuffix(v.File, ".bin") }

// Every image is judged as the manifest says, and opens to the payload that it was
// made of.
func TestVectorImages(t *testing.T) {
	images := 0
	for _, v := range vectors(t).Images {
		if !v.isImage() {
			continue
		}
		images++
		t.Run(v.File, func(t *testing.T) {
			report, err := Verify(vector(t, v.File), v.trust(t))
			if v.SignKey == "" {
				if err == nil || err.Error() != "no signature by a key that is trusted" {
					t.Errorf("unsigned: got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want, got := vector(t, v.Plain), report.Payload
			if !bytes.HasPrefix(got, want) || len(got)-len(want) > 16 {
				t.Errorf("payload of %d bytes is not %s", len(got), v.Plain)
			}
			if report.SignedBy == nil || report.Clear != (v.File == "e06-ec256-clear.bin") {
				t.Errorf("signed by %v, clear %v", report.SignedBy, report.Clear)
			}
		})
	}
	if images != 37 {
		t.Errorf("%d images were judged", images)
	}
}

// Without keys less is proved, and the report says so; of an encrypted payload
// nothing is.
func TestVectorsWithoutKeys(t *testing.T) {
	for _, v := range vectors(t).Images {
		if !v.isImage() {
			continue
		}
		t.Run(v.File, func(t *testing.T) {
			report, err := Verify(vector(t, v.File), Trust{})
			if v.EncKey != "" && v.File != "e06-ec256-clear.bin" {
				wantFinding(t, report, "hash", false)
				wantError(t, err, ErrEncrypted.Error())
				report, err = Verify(vector(t, v.File), Trust{Keys: v.trust(t).Keys})
				wantFinding(t, report, "hash", false)
				wantFinding(t, report, "signature", true)
				wantError(t, err, ErrEncrypted.Error())
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantFinding(t, report, "hash", true)
			wantFinding(t, report, "signature", false)
			if report.SignedBy != nil {
				t.Errorf("signed by %v, and no key was given", report.SignedBy)
			}
		})
	}
}

func wantFinding(t *testing.T, r *Report, subject string, proved bool) {
	t.Helper()
	if r == nil {
		t.Fatal("no report")
	}
	for _, f := range r.Findings {
		if f.Subject == subject && f.Proved == proved && f.Detail != "" {
			return
		}
	}
	t.Errorf("no finding of %s, proved %v, in %+v", subject, proved, r.Findings)
}

func wantError(t *testing.T, err error, prefix string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), prefix) {
		t.Errorf("got error %v, want %q", err, prefix)
	}
}

// With another key than the one that signed, or the one that opens, every image
// is refused.
func TestVectorsWithOtherKeys(t *testing.T) {
	for _, v := range vectors(t).Images {
		if !v.isImage() {
			continue
		}
		t.Run(v.File, func(t *testing.T) {
			trust := v.trust(t)
			trust.Keys = []crypto.PublicKey{signer(t, "ec256-other").Public()}
			_, err := Verify(vector(t, v.File), trust)
			wantError(t, err, "no signature by a key that is trusted")
			if v.EncKey == "" || v.File == "e06-ec256-clear.bin" {
				return
			}
			trust = v.trust(t)
			trust.Decrypt = []Identity{identity(t, "ec256.pem"), Factory(make([]byte, 32))}
			_, err = Verify(vector(t, v.File), trust)
			wantError(t, err, ErrEncrypted.Error())
		})
	}
}

// What the bootloader refuses is refused, for the reason that was built into it.
func TestVectorNegatives(t *testing.T) {
	m := vectors(t)
	for _, v := range m.Negatives {
		t.Run(v.File, func(t *testing.T) {
			trust := m.image(t, v.MadeFrom).trust(t)
			judge(t, v.File, trust, v.Bootloader.Result)
			if v.AllowList != nil {
				trust.Listed = true
				judge(t, v.File, trust, v.AllowList.Result)
			}
		})
	}
}

func judge(t *testing.T, file string, trust Trust, want string) {
	t.Helper()
	_, err := Verify(vector(t, file), trust)
	if (err == nil) != (want == "accept") {
		t.Errorf("listed %v: want %s, got %v", trust.Listed, want, err)
	}
	if reason := reasons[strings.TrimSuffix(filepath.Base(file), ".bin")]; err != nil && (reason == "" || !strings.Contains(err.Error(), reason)) {
		t.Errorf("listed %v: refused for %q, want %q", trust.Listed, err, reason)
	}
}

const wrongHash = "SHA256 is not the hash of header, payload and protected TLVs"

var reasons = map[string]string{
	"n01-magic":                 "header at offset 0: an image in the old format",
	"n02-version":               wrongHash,
	"n03-flags-pic":             wrongHash,
	"n04-imgsize-plus1":         "unprotected area at offset 0x158a: magic",
	"n05-imgsize-huge":          "header at offset 12: payload of 4294967280 bytes: the image would end past 4 GiB",
	"n06-hdrsize-zero":          "header at offset 8: header size 0 is below 32",
	"n07-pad1":                  wrongHash,
	"n08-hdr-gap":               wrongHash,
	"n09-payload-first":         wrongHash,
	"n10-payload-last":          wrongHash,
	"n11-hash":                  wrongHash,
	"n12-keyhash":               "no signature by a key that is trusted",
	"n13-sig":                   "ECDSA_SIG by the P-256 key 351ffabd",
	"n14-sig-shortlen":          "unprotected area at offset 0x1589: entry 3: 2 stray bytes",
	"n15-tlvtot-plus4":          "unprotected area at offset 0x1589: size 155, and 151 bytes are left in the file",
	"n16-tlvtot-minus":          "unprotected area at offset 0x1589: entry 2: ECDSA_SIG of",
	"n17-tlvinfo-magic":         "unprotected area at offset 0x1589: magic 0x6906, want 0x6907",
	"n18-tlvlen-overrun":        "unprotected area at offset 0x1589: entry 0: SHA256 of 65520 bytes runs past",
	"n19-trunc-payload":         "header at offset 12: payload of 5001 bytes runs past the end of the file",
	"n20-trunc-tlv":             "unprotected area at offset 0x1589: size 151, and",
	"n21-trunc-1":               "unprotected area at offset 0x1589: size 151, and 150 bytes are left",
	"n22-trunc-hdr":             "header: file of 20 bytes is shorter than 32",
	"n23-empty":                 "header: file of 0 bytes is shorter than 32",
	"n24-nosig":                 "no signature by a key that is trusted",
	"n25-nohash":                "no image hash",
	"n26-nokeyhash":             "no signature by a key that is trusted",
	"n27-sig-before-key":        "no signature by a key that is trusted",
	"n28-wrongkey":              "no signature by a key that is trusted",
	"n29-wrongkey-trustedhash":  "ECDSA_SIG by the P-256 key 351ffabd",
	"n30-sig-over-hash-of-hash": "ECDSA_SIG by the P-256 key 351ffabd",
	"n31-rsa-tlv-type":          "no signature by a key that is trusted",
	"n32-empty-tlvs":            "no image hash",
	"n33-good-then-bad-sig":     "ECDSA_SIG by the P-256 key 351ffabd",
	"p03-unknown-tlv":           "is none of the TLVs that are allowed there",
	"n40-prot-value":            wrongHash,
	"n41-prot-hdr-mismatch":     "protected area at offset 0x1589: 171 bytes, and the header says",
	"n42-prot-hdr-zero":         "unprotected area at offset 0x1589: magic 0x6908, want 0x6907",
	"n43-prot-magic":            "protected area at offset 0x1589: magic 0x6907, want 0x6908",
	"n44-prot-stripped":         wrongHash,
	"n45-prot-tot":              "protected area at offset 0x1589: entry",
	"n50-enc-payload":           "what it decrypts to has not the image's hash",
	"n51-enc-tag":               "ENC_EC256: not wrapped for this key, or damaged",
	"n52-enc-key":               "ENC_EC256: not wrapped for this key, or damaged",
	"n53-enc-point":             "ENC_EC256: not wrapped for this key, or damaged",
	"n54-enc-both-flags":        "header at offset 16: flags AES128 AES256 exclude each other",
	"n55-enc-noflag":            wrongHash,
	"n56-enc-notlv":             "0 TLVs with a content key",
	"n57-enc-tlv-len":           "ENC_EC256: not wrapped for this key, or damaged",
}

// What the real tool made is made again, byte for byte: the layout is ours, and
// only what is random, the signature and the wrapped key, is taken from the
// vector.
func TestVectorsMadeAgain(t *testing.T) {
	for _, v := range vectors(t).Images {
		if !v.isImage() || v.Args == "" {
			continue
		}
		t.Run(v.File, func(t *testing.T) {
			want := vector(t, v.File)
			c := parseCommand(t, v.Args)
			var public crypto.PublicKey
			if c.key != "" {
				public = signer(t, c.key).Public()
			}
			d, err := NewDraft(c.payload, c.spec, public)
			if err != nil {
				t.Fatal(err)
			}
			im, err := Parse(want)
			if err != nil {
				t.Fatal(err)
			}
			c.replay(t, v, d, im)
			got, err := d.Finish(signatureOf(im))
			if err != nil {
				t.Fatal(err)
			}
			if c.padded {
				if got, err = c.slot.Fill(got, c.confirm); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("another image: %d bytes, want %d; first difference at %#x", len(got), len(want), differ(got, want))
			}
		})
	}
}

// Vectors made with an algorithm that is deterministic need no help.
func TestVectorsSignedAgain(t *testing.T) {
	for _, file := range []string{"s04-ed25519.bin", "s05-unsigned.bin"} {
		v := vectors(t).image(t, file)
		c := parseCommand(t, v.Args)
		var key crypto.Signer
		if c.key != "" {
			key = signer(t, c.key)
		}
		if got, err := Sign(c.payload, c.spec, key); err != nil || !bytes.Equal(got, vector(t, file)) {
			t.Errorf("%s: another image, %v", file, err)
		}
	}
}

func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func signatureOf(im *Image) []byte {
	for _, t := range im.Unprotected {
		if t.Type >= signRSA2048 && t.Type <= signEd25519 {
			return unpadded(t.Value)
		}
	}
	return nil
}

// A command is what a vector was made by.
type command struct {
	spec            Spec
	slot            Slot
	key             string
	padded, confirm bool
	saveTLV         bool
	payload         []byte
}

// replay makes d wrap the content key that a vector holds, as it is wrapped there.
func (c *command) replay(t *testing.T, v vectorImage, d *Draft, im *Image) {
	if v.EncKey == "" {
		return
	}
	wrapped := im.wrappedKeys()[0]
	key, err := identity(t, v.EncKey).unwrap(im, wrapped, im.Flags.keySize())
	if err != nil {
		t.Fatal(err)
	}
	d.spec.Encryption.To, d.spec.Encryption.random = replayed{wrapped}, func(b []byte) { copy(b, key) }
	c.slot.KeySpace = im.KeySpace(c.saveTLV)
}

type replayed struct{ TLV }

func (replayed) check(int) error            { return nil }
func (r replayed) wrap([]byte) (TLV, error) { return r.TLV, nil }

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func parseVersionOf(t *testing.T, s string) Version {
	t.Helper()
	v, err := ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// parseCommand reads the command line that made a vector.
func parseCommand(t *testing.T, args string) *command {
	t.Helper()
	c := &command{}
	words := strings.Fields(strings.ReplaceAll(args, `"`, ""))[1:]
	next := func() string { w := words[0]; words = words[1:]; return w }
	padHeader := false
	var vid string
	for len(words) > 2 {
		switch flag := next(); flag {
		case "-k":
			c.key = strings.TrimSuffix(filepath.Base(next()), ".pem")
		case "--fix-sig-pubkey":
			c.key = strings.TrimSuffix(filepath.Base(next()), ".pub.pem")
		case "--fix-sig", "--sig-out", "--hex-addr", "--vector-to-sign":
			next()
		case "-v":
			c.spec.Version = parseVersionOf(t, next())
		case "-H":
			c.spec.HeaderSize = number(t, next())
		case "-S":
			c.slot.Size = number(t, next())
		case "--align":
			c.slot.Align = number(t, next())
		case "-M":
			c.slot.Sectors = number(t, next())
		case "--overwrite-only":
			c.slot.OverwriteOnly = true
		case "--pad-header":
			padHeader = true
		case "--pad", "--test":
			c.padded = true
		case "--confirm":
			c.padded, c.confirm = true, true
		case "-s":
			n := c.spec.Version.Counter()
			if s := next(); s != "auto" {
				n = uint32(number(t, s))
			}
			c.spec.Counter = &n
		case "-d":
			for d := range strings.FieldsFuncSeq(next(), func(r rune) bool { return r == '(' || r == ')' }) {
				image, min, _ := strings.Cut(d, ",")
				c.spec.Dependencies = append(c.spec.Dependencies, Dependency{uint8(number(t, image)), parseVersionOf(t, min)})
			}
		case "--boot-record":
			c.spec.SoftwareType = next()
		case "--vid":
			vid = next()
			id := VendorID(vid)
			c.spec.Vendor = &id
		case "--cid":
			id := ClassID(next(), *c.spec.Vendor)
			c.spec.Class = &id
		case "--custom-tlv":
			kind, value := Type(number(t, next())), next()
			b := []byte(value)
			if digits, ok := strings.CutPrefix(value, "0x"); ok {
				b, _ = hex.DecodeString(digits)
			}
			c.spec.Custom = append(c.spec.Custom, TLV{kind, b})
		case "--public-key-format":
			c.spec.FullKey = next() == "full"
		case "--pad-sig":
			c.spec.PadSignature = true
		case "-F":
			c.spec.Flags, c.spec.LoadAddress = ROMFixed, uint32(number(t, next()))
		case "-L":
			c.spec.Flags, c.spec.LoadAddress = RAMLoad, uint32(number(t, next()))
		case "--non-bootable":
			c.spec.Flags = NonBootable
		case "-E":
			next()
			c.spec.Encryption = &Encryption{To: replayed{}, KeySize: 16}
		case "--encrypt-keylen":
			c.spec.Encryption.KeySize = number(t, next()) / 8
		case "--clear":
			c.spec.Encryption.Clear = true
		case "--save-enctlv":
			c.saveTLV = true
		default:
			t.Fatalf("unknown flag %s", flag)
		}
	}
	c.payload = vector(t, next())
	if padHeader {
		c.spec.Fill = 0xff
	} else {
		c.payload = c.payload[c.spec.HeaderSize:]
	}
	return c
}

// Three stages: what is to be signed leaves, the signature comes back.
func TestVectorDetached(t *testing.T) {
	m := vectors(t)
	c := parseCommand(t, m.image(t, "s19-ec256-fixsig.bin").Args)
	d, err := NewDraft(c.payload, c.spec, signer(t, "ec256").Public())
	if err != nil {
		t.Fatal(err)
	}
	if message, options := d.ToSign(); !bytes.Equal(message, vector(t, "s19-digest.bin")) || options != crypto.SHA256 {
		t.Errorf("to sign: got %x with %v", message, options)
	}
	if !bytes.Equal(d.Content(), vector(t, "s19-payload.bin")) {
		t.Error("content is another")
	}
	signature := unbase64(t, vector(t, "s19-sig.b64"))
	got, err := d.Finish(signature)
	if err != nil || !bytes.Equal(got, vector(t, "s19-ec256-fixsig.bin")) {
		t.Errorf("another image, %v", err)
	}
	signature[9] ^= 1
	if _, err := d.Finish(signature); err != errSignature {
		t.Errorf("a wrong signature: got %v", err)
	}
}

// The public keys are those whose hashes the tool prints.
func TestVectorKeys(t *testing.T) {
	for _, name := range []string{"rsa2048", "rsa3072", "ec256", "ec256-other", "ed25519"} {
		public := signer(t, name).Public()
		der, err := keyDER(public)
		if err != nil || !bytes.Equal(der, vector(t, "keys/"+name+".pub.der")) {
			t.Errorf("%s: another DER, %v", name, err)
		}
		if id, err := KeyHash(public, crypto.SHA256); err != nil || !bytes.Equal(id, vector(t, "keys/"+name+".keyhash")) {
			t.Errorf("%s: another hash, %v", name, err)
		}
	}
}

func TestVectorContents(t *testing.T) {
	im, err := Parse(vector(t, "s12-ec256-allprot.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := im.Counter(); !ok || n != 16 {
		t.Errorf("counter: got %d, %v", n, ok)
	}
	if d := im.Dependencies(); len(d) != 1 || d[0] != (Dependency{1, Version{Major: 1}}) {
		t.Errorf("dependencies: got %v", d)
	}
	if im.Version.String() != "1.2.3+4" || im.Size != 0x200 || im.PayloadSize != 5001 || im.Flags != 0 {
		t.Errorf("header: got %+v", im.Header)
	}
	for file, want := range map[string]Header{
		"s15-ec256-romfixed.bin":    {LoadAddress: 0x08010000, Flags: ROMFixed},
		"s16-ec256-ramload.bin":     {LoadAddress: 0x20000400, Flags: RAMLoad},
		"s17-ec256-nonbootable.bin": {Flags: NonBootable},
		"e02-ec256-aes256.bin":      {Flags: AES256},
	} {
		im, err := Parse(vector(t, file))
		if err != nil || im.LoadAddress != want.LoadAddress || im.Flags != want.Flags {
			t.Errorf("%s: got %+v, %v", file, im.Header, err)
		}
	}
}

func TestVectorTrailers(t *testing.T) {
	for file, want := range map[string]Trailer{
		"t01-pad.bin":             {8, "unset", "unset"},
		"t03-confirm.bin":         {8, "set", "unset"},
		"t04-confirm-align1.bin":  {8, "set", "unset"},
		"t05-confirm-align32.bin": {32, "set", "unset"},
	} {
		if got, err := ParseTrailer(vector(t, file)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", file, got, err, want)
		}
	}
	if _, err := ParseTrailer(vector(t, "s03-ec256.bin")); err != errNoTrailer {
		t.Errorf("no slot: got %v", err)
	}
}
