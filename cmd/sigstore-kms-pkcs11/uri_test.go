package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

func TestParseKey(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want keyURI
	}{
		"in full": {
			"pkcs11:module-path=/lib/m.so;token=the%20boards;object=ca;id=%0a%10?pin-source=file:/etc/pin",
			keyURI{module: "/lib/m.so", token: "the boards", object: "ca", id: []byte{0x0a, 0x10}, pinFile: "/etc/pin"},
		},
		"without a scheme": {
			"module-path=/lib/m.so;slot-id=12;id=0a10",
			keyURI{module: "/lib/m.so", slot: "12", id: []byte{0x0a, 0x10}},
		},
		"in the order of others": {
			"token=boards;object=ca?module-path=/lib/m.so&pin-source=file:///etc/pin",
			keyURI{module: "/lib/m.so", token: "boards", object: "ca", pinFile: "/etc/pin"},
		},
		"marks in values": {
			"module-path=/lib/m.so;serial=1a2b;object=a%3Bb%26c%3Dd+e%25?pin-source=/etc/pin",
			keyURI{module: "/lib/m.so", serial: "1a2b", object: "a;b&c=d+e%", pinFile: "/etc/pin"},
		},
	} {
		if got, err := parseKey(row.text); err != nil || !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %+v, %v\nwant %+v", name, got, err, row.want)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	const token, module = "token=boards;object=ca;", "module-path=/lib/m.so"
	for name, row := range map[string]struct{ text, want string }{
		"nothing":               {"", "want attributes"},
		"a scheme":              {"pkcs11:", "want attributes"},
		"another scheme":        {"awskms:" + token + module, "want attributes"},
		"a PIN":                 {token + module + "?pin-value=4321", "shows the PIN"},
		"a PIN in the path":     {"pin-value=4321;" + token + module, "shows the PIN"},
		"a PIN by another name": {token + module + "?PIN-VALUE=4321", "want attributes"},
		"a PIN in disguise":     {token + module + "?pin%2dvalue=4321", "want attributes"},
		"a PIN for a file":      {token + module + "?pin-source=4321", "absolute path"},
		"a program for a file":  {token + module + "?pin-source=|/bin/echo%204321", "absolute path"},
		"a host for a file":     {token + module + "?pin-source=file://4321/pin", "absolute path"},
		"an unknown attribute":  {token + module + ";type=private", "want attributes"},
		"no value":              {token + module + ";id", "want attributes"},
		"an empty value":        {token + module + ";id=", "id is empty"},
		"an empty part":         {token + module + ";;id=01", "want attributes"},
		"twice":                 {token + module + ";object=cb", "object stands twice"},
		"twice, elsewhere":      {token + module + "?object=cb", "object stands twice"},
		"no token":              {"object=ca;" + module, "one of token"},
		"two tokens":            {token + "serial=1;" + module, "one of token"},
		"no key":                {"token=boards;" + module, "want object or id"},
		"no library":            {"token=boards;object=ca", "module-path"},
		"a library by name":     {token + "module-path=m.so", "absolute path"},
		"a library by detour":   {token + "module-path=/lib/../tmp/m.so", "absolute path"},
		"a blank":               {"object=a b;token=boards;" + module, "printable ASCII"},
		"a zero byte":           {"object=a%00b;token=boards;" + module, "printable ASCII"},
		"half an escape":        {"object=a%0;token=boards;" + module, "printable ASCII"},
		"an odd id":             {token + module + ";id=0a1", "id: want bytes"},
		"a mixed id":            {token + module + ";id=%0a10", "id: want bytes"},
		"an id in words":        {token + module + ";id=first", "id: want bytes"},
		"a slot in words":       {"slot-id=first;object=ca;" + module, "want a number"},
		"a negative slot":       {"slot-id=-1;object=ca;" + module, "want a number"},
		"much":                  {token + module + strings.Repeat(" ", 2048), "longer than"},
	} {
		_, err := parseKey(row.text)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
		if err != nil && strings.Contains(err.Error(), "4321") {
			t.Errorf("%s: the error tells the PIN: %v", name, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("pkcs11:module-path=/lib/m.so;token=the%20boards;object=ca;id=%0a%10?pin-source=file:/etc/pin")
	f.Add("module-path=/lib/m.so;slot-id=12;id=0a10")
	f.Add("token=boards;object=a%3Bb%26c%3Dd+e%25?module-path=/lib/m.so&pin-value=1234")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := parseKey(text)
		if err != nil {
			return
		}
		if !helper.IsClean(k.module) || k.pinFile != "" && !helper.IsClean(k.pinFile) || strings.Contains(text, "pin-value=") && !strings.Contains(text, "=pin-value=") {
			t.Errorf("%q gives %+v", text, k)
		}
		if name := k.name(); strings.ContainsAny(name, "?& ") {
			t.Errorf("%q is handed on as %q", text, name)
		}
	})
}
