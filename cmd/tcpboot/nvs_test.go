package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcpboot/tcpboot/pki/nvs"
)

// cmdNVS reads an NVS partition as a board does, with the keys in FILE when there
// are any: a key partition, or the 32 bytes of an eFuse HMAC key. Each value goes
// into DIR/NAMESPACE/KEY.
//
//	nvs IMAGE DIR [FILE]
func cmdNVS(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: nvs IMAGE DIR [FILE]")
	}
	image := []byte(ts.ReadFile(args[0]))
	if len(args) == 3 {
		keys, err := boardKeys([]byte(ts.ReadFile(args[2])))
		ts.Check(err)
		image, err = nvs.Decrypt(image, keys)
		ts.Check(err)
	}
	entries, err := nvs.Parse(image)
	if readable := err == nil; readable == neg {
		ts.Fatalf("%s: readable %v: %v", args[0], readable, err)
	}
	for _, e := range entries {
		file := filepath.Join(ts.MkAbs(args[1]), e.Namespace, e.Key)
		ts.Check(os.MkdirAll(filepath.Dir(file), 0o700))
		ts.Check(os.WriteFile(file, valueBytes(e.Value), 0o600))
	}
}

func boardKeys(text []byte) (nvs.Keys, error) {
	var efuse nvs.HMACKey
	if len(text) == len(efuse) {
		copy(efuse[:], text)
		return nvs.DeriveKeys(efuse), nil
	}
	return nvs.ParseKeys(text)
}

// valueBytes are those of a text or a blob, and the digits of a number.
func valueBytes(v nvs.Value) []byte {
	switch v := v.(type) {
	case nvs.String:
		return []byte(v)
	case nvs.Blob:
		return v
	}
	return []byte(strings.TrimSpace(fmt.Sprintln(v)))
}
