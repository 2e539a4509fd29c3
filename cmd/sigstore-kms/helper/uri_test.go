package helper_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

func TestAttributes(t *testing.T) {
	want := map[string]string{"name": "a;b=c&d+e%", "region": "eu"}
	for _, text := range []string{"name=a%3Bb=c%26d+e%25;region=eu", "store:region=eu?name=a%3bb=c%26d+e%25", "name=a%3Bb%3Dc%26d+e%25?region=eu"} {
		if got, err := helper.Attributes("store", text, "name", "region"); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

// No error repeats what may be a secret.
func TestAttributesRefuses(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"nothing":          {"", "want attributes NAME=VALUE, NAME being name, region"},
		"another scheme":   {"other:name=4321", "want attributes"},
		"a PIN":            {"name=a?pin-value=4321", "shows the PIN"},
		"a secret":         {"name=a;client-secret=4321", "want attributes"},
		"in capitals":      {"NAME=4321", "want attributes"},
		"no value":         {"name=", "name is empty"},
		"twice":            {"name=a?name=4321", "name stands twice"},
		"a blank":          {"name=a 4321", "name: want printable ASCII"},
		"a line's end":     {"name=a\n4321", "name: want printable ASCII"},
		"a zero byte":      {"name=a%004321", "name: want printable ASCII"},
		"half an escape":   {"name=4321%4", "name: want printable ASCII"},
		"much":             {"name=" + strings.Repeat("4321", 600), "longer than"},
		"two query marks":  {"name=a?region=4321?name=b", ""},
		"an empty part":    {"name=a;;region=4321", "want attributes"},
		"without its name": {"=4321", "want attributes"},
	} {
		_, err := helper.Attributes("store", row.text, "name", "region")
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
		if err != nil && strings.Contains(err.Error(), "4321") {
			t.Errorf("%s: the error tells: %v", name, err)
		}
	}
}

func FuzzAttributes(f *testing.F) {
	f.Add("store:name=a%3Bb;region=eu?name=c")
	f.Add("name=a&pin-value=4321")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := helper.Attributes("store", text, "name", "region")
		if err != nil {
			return
		}
		for name, value := range values {
			if name != "name" && name != "region" || value == "" || strings.ContainsRune(value, 0) {
				t.Errorf("%q gives %q", text, values)
			}
		}
	})
}
