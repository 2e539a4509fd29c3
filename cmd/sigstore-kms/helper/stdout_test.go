package helper_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

// A store's library that prints does not spoil the answer. The test binary plays
// the program whose library does.
func TestAnswersStandAlone(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), noisy+"=1")
	var noise bytes.Buffer
	cmd.Stderr = &noise
	out, err := cmd.Output()
	if err != nil || string(out) != "{}" || noise.String() != "token inserted\n" {
		t.Errorf("%v: answer %q, talk %q", err, out, noise.String())
	}
}

const noisy = "TEST_WITH_A_NOISY_LIBRARY"

func TestMain(m *testing.M) {
	if os.Getenv(noisy) == "" {
		os.Exit(m.Run())
	}
	answers, err := helper.TakeStdout()
	if err != nil {
		panic(err)
	}
	fmt.Println("token inserted")
	fmt.Fprint(answers, "{}")
}
