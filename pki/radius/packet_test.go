package radius

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

const testSecret = "0123456789"

// question is a request about a session, which is proved as its answer is.
func question() []byte {
	return packet{disconnectRequest, []attribute{{userName, []byte("246f28aa1001")}}}.request(testSecret)
}

// answer makes the answer to request, with a Message-Authenticator or without.
func answer(request []byte, code byte, mac bool, secret string, attributes ...attribute) []byte {
	b := append([]byte{code, request[1], 0, 0}, request[4:headerSize]...)
	if mac {
		b = append(append(b, messageAuthenticator, 18), make([]byte, 16)...)
	}
	for _, a := range attributes {
		b = append(append(b, a.kind, byte(2+len(a.value))), a.value...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	if mac {
		copy(b[headerSize+2:], authenticate(b, secret))
	}
	return sealed(b, request, secret)
}

// sealed gives b the authenticator of an answer to request.
func sealed(b, request []byte, secret string) []byte {
	copy(b[4:], request[4:headerSize])
	copy(b[4:], digest(b, secret))
	return b
}

func TestAnswers(t *testing.T) {
	request, other := question(), question()
	cause := attribute{errorCause, []byte{0, 0, 1, 0xf7}}
	plain := func() []byte { return answer(request, disconnectNAK, false, testSecret, cause) }
	proved := func() []byte { return answer(request, disconnectNAK, true, testSecret, cause) }
	flip := func(b []byte, at int) []byte { b[at] ^= 1; return b }
	for _, row := range []struct {
		name string
		b    []byte
		want error
	}{
		{"as RFC 5176 has it", plain(), nil},
		{"with a Message-Authenticator", proved(), nil},
		{"with padding behind", append(plain(), 1, 2, 3), nil},
		{"empty", nil, errShort},
		{"a header cut short", plain()[:19], errShort},
		{"cut short", plain()[:25], errShort},
		{"a length below the header's", func() []byte { b := plain(); b[3] = 19; return b }(), errShort},
		{"another code", flip(plain(), 0), errForged},
		{"another number", flip(plain(), 1), errForged},
		{"another authenticator", flip(plain(), 4), errForged},
		{"another attribute", flip(plain(), 25), errForged},
		{"another secret", answer(request, disconnectNAK, true, "x"+testSecret, cause), errForged},
		{"to another request", answer(other, disconnectNAK, true, testSecret, cause), errForged},
		{"a Message-Authenticator by another secret", sealed(answer(request, disconnectNAK, true, "x"+testSecret), request, testSecret), errForged},
		{"a short Message-Authenticator", answer(request, disconnectNAK, false, testSecret, attribute{messageAuthenticator, []byte{1}}), errForged},
		{"an attribute without a length", sealed(func() []byte { b := plain(); b[3] = 21; return b[:21] }(), request, testSecret), errShort},
		{"an attribute of length 1", sealed(func() []byte { b := plain(); b[21] = 1; return b }(), request, testSecret), errShort},
		{"an attribute beyond the end", sealed(func() []byte { b := plain(); b[21] = 7; return b }(), request, testSecret), errShort},
	} {
		t.Run(row.name, func(t *testing.T) {
			kept := bytes.Clone(row.b)
			p, err := parseAnswer(row.b, request, testSecret)
			if !errors.Is(err, row.want) {
				t.Fatalf("error %v, want %v", err, row.want)
			}
			if err == nil && (p.code != disconnectNAK || !bytes.Equal(p.get(errorCause), cause.value) || p.get(userName) != nil) {
				t.Errorf("got %v", p)
			}
			if !bytes.Equal(kept, row.b) {
				t.Error("the input was changed")
			}
		})
	}
}

// Two questions never look alike, whoever asks what.
func TestRequestsDiffer(t *testing.T) {
	for _, code := range []byte{accessRequest, statusServer} {
		p := packet{code, nil}
		if bytes.Equal(p.request(testSecret)[4:headerSize], p.request(testSecret)[4:headerSize]) {
			t.Errorf("code %d: one authenticator twice", code)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	request := question()
	f.Add(answer(request, disconnectACK, false, testSecret))
	f.Add(answer(request, disconnectNAK, true, testSecret, attribute{errorCause, []byte{0, 0, 1, 0xf7}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= headerSize { // let it get behind the authenticator
			b = bytes.Clone(b)
			b[1] = request[1]
			size := min(int(binary.BigEndian.Uint16(b[2:])), len(b))
			copy(b[4:], request[4:headerSize])
			copy(b[4:], digest(b[:max(size, headerSize)], testSecret))
		}
		p, err := parseAnswer(b, request, testSecret)
		if err != nil {
			return
		}
		total := headerSize
		for _, a := range p.attributes {
			total += 2 + len(a.value)
		}
		if want := int(binary.BigEndian.Uint16(b[2:])); total != want {
			t.Errorf("attributes of %d bytes in a packet of %d", total, want)
		}
	})
}
