package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature/dsse"

	"github.com/tcpboot/tcpboot/release/sign"
)

// sigstore, which is not ours, takes the envelope, and refuses it with any bit
// changed. What it says is of this manifest and no other.
func TestSign(t *testing.T) {
	ctx := context.Background()
	l, r := newLayout(t), cut(t, "1.0", 1)
	store(t, l, r)
	packed, err := l.Packed(ctx, "1.0", "")
	if err != nil {
		t.Fatal(err)
	}
	key := releaseKey(t)
	if err := l.Sign(ctx, packed[0], key); err != nil {
		t.Fatal(err)
	}
	checkLayout(t, l, r)
	before := snapshot(t, l.dir)
	if err := l.Sign(ctx, packed[0], key); err != nil || !maps.Equal(snapshot(t, l.dir), before) {
		t.Errorf("signed again: %v, want the same files", err)
	}
	attached, err := l.Attached(ctx, packed[0])
	if err != nil || len(attached) != 1 {
		t.Fatalf("%d attached, %v; want 1", len(attached), err)
	}
	text, err := readFrom(ctx, l, attached[0].Blobs[1], maxAttachedBlob)
	if err != nil {
		t.Fatal(err)
	}
	var b sigstoreBundle
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	var statement inTotoStatement
	if err := json.Unmarshal(b.Envelope.Payload, &statement); err != nil || statement.Subject[0].Digest["sha256"] != packed[0].Descriptor.Digest.Encoded() {
		t.Errorf("the statement is of %v, %v; want %s", statement.Subject, err, packed[0].Descriptor.Digest)
	}
	if err := verifyEnvelope(t, key, b.Envelope); err != nil {
		t.Error(err)
	}
	b.Envelope.Payload[20] ^= 1
	if err := verifyEnvelope(t, key, b.Envelope); err == nil {
		t.Error("sigstore takes another payload")
	}
}

func verifyEnvelope(t *testing.T, key sign.Release, e envelope) error {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	v, err := sign.Verifier(key.Key())
	if err != nil {
		t.Fatal(err)
	}
	return dsse.WrapVerifier(v).VerifySignature(bytes.NewReader(text), nil)
}
