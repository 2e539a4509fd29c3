package kconfig

import "testing"

func TestValueNumber(t *testing.T) {
	for _, tt := range []struct {
		text string
		base int
		want string // "" when it is not a number
	}{
		{"10", 10, "10"}, {"-5", 10, "-5"}, {"+7", 10, "7"}, {"007", 10, "7"}, {" 7 ", 10, "7"},
		{"1_000", 10, "1000"}, {"1__0", 10, ""}, {"_1", 10, ""}, {"1_", 10, ""}, {"", 10, ""}, {"0x1", 10, ""},
		{"123456789012345678901234567890", 10, "123456789012345678901234567890"},
		{"0x1F", 16, "31"}, {"0XbeeF", 16, "48879"}, {"dead", 16, "57005"}, {"10", 16, "16"}, {"xyz", 16, ""}, {"0x", 16, ""},
		{"+-1", 16, ""},
	} {
		v, _ := parseValue(tt.text)
		n, ok := v.Number(tt.base)
		if got := ""; ok {
			if got = n.String(); got != tt.want {
				t.Errorf("%q base %d = %s, want %s", tt.text, tt.base, got, tt.want)
			}
		} else if tt.want != "" {
			t.Errorf("%q base %d is no number, want %s", tt.text, tt.base, tt.want)
		}
	}
	if _, ok := String("5").Number(10); ok {
		t.Error("a quoted 5 is no number")
	}
}

func TestValueTrue(t *testing.T) {
	for text, want := range map[string][2]bool{
		"y": {true, true}, "n": {false, true}, "yes": {true, true}, "no": {false, true},
		"Y": {false, false}, "1": {false, false}, "": {false, false}, `"y"`: {false, false},
	} {
		v, _ := parseValue(text)
		if b, ok := v.True(); b != want[0] || ok != want[1] {
			t.Errorf("%q is %v, %v; want %v", text, b, ok, want)
		}
	}
}

func TestValueEqual(t *testing.T) {
	for _, tt := range []struct {
		a, b Value
		want bool
	}{
		{Int(7), Value{TypeInt, "007"}, true},
		{Hex(31), Value{TypeHex, "0X1F"}, true},
		{Int(7), Int(8), false},
		{Int(7), String("7"), false},
		{String("a"), String("A"), false},
		{Hex(16), Value{TypeBare, "10"}, false},
		{Bool(true), Bool(true), true},
	} {
		if got := tt.a.Equal(tt.b); got != tt.want {
			t.Errorf("%v equal to %v: %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestTypeString(t *testing.T) {
	if got := TypeHex.String() + " " + Type(9).String(); got != "hex type 9" {
		t.Error(got)
	}
}
