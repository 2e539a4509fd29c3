package detached

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Bounds on what comes back.
const (
	MaxJob       = 64 << 10 // bytes of job.json
	MaxSignature = 4096     // bytes of a NAME.sig
)

// JobFile is the name of the file that says what a folder is for.
const JobFile = "job.json"

// A Job is what lies in a folder: the signatures that one release waits for.
type Job struct {
	Site     string   `json:"site"`
	Version  string   `json:"version"`
	Hardware string   `json:"hardware"`
	Wanted   []Wanted `json:"signatures"`
}

// A Wanted is one signature that is to be made.
type Wanted struct {
	Name   string `json:"name"` // of its files
	What   string `json:"what"` // is signed, for people
	Key    string `json:"key"`  // as the site calls it
	KeyID  string `json:"key_id"`
	Scheme Scheme `json:"scheme"`
	Digest string `json:"digest"`

	digest, message []byte
}

// SignatureFile is the name of the file in which the signature comes back.
func (w Wanted) SignatureFile() string { return w.Name + ".sig" }

// Files returns the folder of j: name → bytes. dir is what people call it.
func (j Job) Files(dir string) (map[string][]byte, error) {
	text, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{JobFile: append(text, '\n'), "README": j.readme(dir)}
	for _, w := range j.Wanted {
		files[w.Name+".digest"] = w.digest
		if w.message != nil {
			files[w.Name+".message"] = w.message
		}
	}
	return files, nil
}

// ReadJob reads job.json, of which only site, version and hardware count: what is
// wanted is known to who wants it.
func ReadJob(text []byte) (j Job, err error) {
	if err := json.Unmarshal(text, &j); err != nil {
		return j, fmt.Errorf("%s: %v", JobFile, err)
	}
	return j, nil
}

func (j Job) readme(dir string) []byte {
	var b bytes.Buffer
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	line("Signatures for release %s for hardware %s of site %s", j.Version, j.Hardware, j.Site)
	line("")
	line("Each NAME.digest is to be signed as it is; it is a digest, and must not be hashed")
	line("again. Put the signature into NAME.sig beside it. Where there is a NAME.message, that")
	line("is what the digest is of. With OpenSSL 3, where KEY.pem is the private key:")
	for _, w := range j.Wanted {
		line("")
		line("%s: %s, by the site's key %s", w.Name, w.What, w.Key)
		line("  key id %s", w.KeyID)
		line("  digest %s", w.Digest)
		line("  %s", w.command())
	}
	line("")
	line("A key's id is what this prints:")
	line("  openssl pkey -in KEY.pem -pubout -outform DER | openssl sha256")
	line("")
	line("Then, in the site: tcpboot release attach %s", dir)
	line("It says whether more is to be signed, and puts that here.")
	return b.Bytes()
}

func (w Wanted) command() string {
	s := "openssl pkeyutl -sign -inkey KEY.pem -pkeyopt digest:" + schemes[w.Scheme].name
	if schemes[w.Scheme].pss {
		s += " -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32 -pkeyopt rsa_mgf1_md:sha256"
	}
	return fmt.Sprintf("%s -in %s.digest -out %s", s, w.Name, w.SignatureFile())
}
