package sitedoc

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/tcpboot/tcpboot/release/cose"
)

// draft returns the successor of example whose roots are 3, 4 and 5, two of them.
func draft(t testing.TB) (before *Doc, f *Draft) {
	t.Helper()
	before = example(t)
	f, err := NewDraft(with(t, func(d *Doc) { d.Epoch++; d.Roots = trust(t, 2, 3, 4, 5) }))
	if err != nil {
		t.Fatal(err)
	}
	return before, f
}

// TestDraftApart: each root signs a copy of its own, and the document that comes
// together is the one that they would have signed at one table.
func TestDraftApart(t *testing.T) {
	before, f := draft(t)
	for i, n := range []byte{1, 4, 3} {
		if !f.Wants(root(t, n).Key(), before) {
			t.Errorf("root %d is not wanted", n)
		}
		copied, err := ReadDraft(f.Bytes())
		if i == 1 {
			_, copied = draft(t) // signed by nobody, and not by root 1
		}
		if err = errors.Join(err, copied.Sign(root(t, n)), f.Add(copied, before)); err != nil {
			t.Fatal(err)
		}
	}
	want := signed(t, f.Doc, 1, 3, 4)
	if !bytes.Equal(f.Bytes(), want) {
		t.Errorf("got  %x\nwant %x", f.Bytes(), want)
	}
	if next, err := before.Follow(f.Bytes()); err != nil || next.Epoch != before.Epoch+1 {
		t.Errorf("got %v, %v", next, err)
	}
	if f.Wants(root(t, 2).Key(), before) || f.Wants(root(t, 5).Key(), before) {
		t.Error("wants more")
	}
}

// TestDraftLacks counts what is missing of both quorums.
func TestDraftLacks(t *testing.T) {
	for name, tt := range map[string]struct {
		signers  []byte
		old, own int
	}{
		"nobody":         {nil, 2, 2},
		"one of both":    {[]byte{3}, 1, 1},
		"the old":        {[]byte{1, 2}, 0, 2},
		"the new":        {[]byte{4, 5}, 2, 0},
		"strangers":      {[]byte{7, 8, 9}, 2, 2},
		"both":           {[]byte{1, 3, 4}, 0, 0},
		"all":            {[]byte{1, 2, 3, 4, 5}, 0, 0},
		"one old, twice": {[]byte{1, 1}, 1, 2},
	} {
		before, f := draft(t)
		for _, n := range tt.signers {
			if err := f.Sign(root(t, n)); err != nil {
				t.Fatal(err)
			}
		}
		if old, own := f.Lacks(before); old != tt.old || own != tt.own {
			t.Errorf("%s: lacks %d and %d, want %d and %d", name, old, own, tt.old, tt.own)
		}
		_, err := before.Follow(f.Bytes())
		if complete := tt.old+tt.own == 0; complete != (err == nil) {
			t.Errorf("%s: followed: %v", name, err)
		}
	}
}

// TestDraftAddRefuses: what a copy brings is proved before it is taken over.
func TestDraftAddRefuses(t *testing.T) {
	before, f := draft(t)
	other, err := NewDraft(with(t, func(d *Doc) { d.Epoch += 2 }))
	if err != nil {
		t.Fatal(err)
	}
	_, stranger := draft(t)
	_, forged := draft(t)
	_, unsigned := draft(t)
	if err := errors.Join(other.Sign(root(t, 1)), stranger.Sign(root(t, 9)), forged.Sign(root(t, 1))); err != nil {
		t.Fatal(err)
	}
	forged.signed = slices.Clone(forged.signed)
	forged.signed[len(forged.signed)-1] ^= 1
	for name, tt := range map[string]struct {
		copied *Draft
		fault  error
	}{
		"another document": {other, nil},
		"nobody":           {unsigned, nil},
		"a stranger":       {stranger, cose.Untrusted},
		"forged":           {forged, cose.Forged},
	} {
		if err := f.Add(tt.copied, before); err == nil || tt.fault != nil && !errors.Is(err, tt.fault) {
			t.Errorf("%s: %v", name, err)
		}
		if f.signed != nil {
			t.Fatalf("%s: taken over", name)
		}
	}
	if _, err := ReadDraft(make([]byte, MaxSize+1)); !errors.Is(err, cose.TooLong) {
		t.Error(err)
	}
}

// FuzzReadDraft: whatever is read is written as it was.
func FuzzReadDraft(f *testing.F) {
	_, d := draft(f)
	f.Add(d.Bytes())
	if err := d.Sign(root(f, 1)); err != nil {
		f.Fatal(err)
	}
	f.Add(d.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := ReadDraft(b); err == nil && !bytes.Equal(d.Bytes(), b) {
			t.Errorf("%x comes back as %x", b, d.Bytes())
		}
	})
}
