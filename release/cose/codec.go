package cose

import (
	"bytes"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

var (
	encoder = must(encOptions().EncMode())
	decoder = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   8,
		MaxArrayElements:  64,
		MaxMapPairs:       64,
	}.DecMode())
)

func encOptions() cbor.EncOptions {
	o := cbor.CoreDetEncOptions()
	o.NilContainers = cbor.NilContainerAsEmpty // null is never a value
	o.TagsMd = cbor.TagsForbidden
	return o
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Marshal returns the one encoding of v.
func Marshal(v any) ([]byte, error) { return encoder.Marshal(v) }

// Unmarshal reads b into v and refuses, as Encoding, whatever Marshal would not
// have written: another shape, another order, unknown keys, bytes after the end.
// b is at most MaxSize bytes. After an error v holds nothing of use.
func Unmarshal(b []byte, v any) error {
	if len(b) > MaxSize {
		return fmt.Errorf("%d bytes, more than %d: %w", len(b), MaxSize, TooLong)
	}
	if err := decoder.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %v", Encoding, err)
	}
	again, err := Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %v", Encoding, err)
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("%w: would be written differently", Encoding)
	}
	return nil
}
