package main

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/nvs"
)

// nvsKeysFile is the key partition of an encrypted nvs.bin.
const nvsKeysFile = "nvs_keys.bin"

var nvsFlags = []cli.Flag{
	&cli.BoolFlag{Name: "nvs", Usage: "add nvs.bin: the credentials as an NVS partition, so that one loader fits all boards"},
	&cli.StringFlag{Name: "nvs-size", Usage: "of `BYTES`; at level 2 all of the partition cred, 0x7000", Value: "0x3000"},
	&cli.BoolFlag{Name: "nvs-encrypt", Usage: "encrypt it, under new keys in " + nvsKeysFile},
	&cli.PathFlag{Name: "nvs-hmac-key", Usage: "encrypt it, under keys derived from the 32 bytes in `FILE`, the board's eFuse HMAC key"},
	&cli.IntFlag{Name: "nvs-hmac-block", Usage: "at level 2: that key is in eFuse block KEY`N`, 0 to 5", DefaultText: "none"},
}

// addNVS adds a board's NVS partition to its files, where it was asked for, or where
// our loader looks for it.
func (s *session) addNVS(files delivery.Files, d fleet.Device, level int) error {
	c := s.cli
	needed, err := needsNVS(files, level)
	if err != nil {
		return err
	}
	if !needed && !c.Bool("nvs") && !c.Bool("nvs-encrypt") && !c.IsSet("nvs-hmac-key") {
		return nil
	}
	size, err := nvsSize(c, level)
	if err != nil {
		return err
	}
	credential, root, err := delivered(files, d)
	if err != nil {
		return err
	}
	network, err := networkOf(files)
	if err != nil {
		return err
	}
	image, err := delivery.NVS(credential, network, root, size)
	if err != nil {
		return err
	}
	keys, encrypt, err := s.nvsKeys()
	if err != nil {
		return err
	}
	if encrypt {
		if image, err = nvs.Encrypt(image, keys); err != nil {
			return err
		}
	}
	if c.Bool("nvs-encrypt") {
		files[nvsKeysFile] = keys.Partition()
	}
	files[delivery.NVSFile] = image
	return nil
}

// nvsForm is the form that the flags ask for, for our loader.
func nvsForm(c *cli.Context) (delivery.NVSForm, error) {
	switch {
	case c.Bool("nvs-encrypt"):
		return delivery.NVSStored, nil
	case !c.IsSet("nvs-hmac-key"):
		return delivery.NVSPlain, nil
	case !c.IsSet("nvs-hmac-block"):
		return 0, usagef("loader export: our loader wants to know where the key is: --nvs-hmac-block N")
	}
	return delivery.NVSDerived, nil
}

// needsNVS reports whether the loader takes its credentials from a partition alone.
func needsNVS(files delivery.Files, level int) (bool, error) {
	if level < ourLevel {
		return false, nil
	}
	config, err := kconfig.ReadDefaults(delivery.DefaultsFile, files[delivery.DefaultsFile])
	return err == nil && !embedded(config), err
}

func nvsSize(c *cli.Context, level int) (int, error) {
	if level >= ourLevel && !c.IsSet("nvs-size") {
		return credSize, nil
	}
	size, err := strconv.ParseUint(c.String("nvs-size"), 0, 31)
	if err != nil {
		return 0, usagef("--nvs-size %q: want a number of bytes such as 0x3000", c.String("nvs-size"))
	}
	return int(size), nil
}

// withNVS makes a delivery with the plain NVS partition in it.
func withNVS(files filesFunc, network delivery.Network, root *x509.Certificate, size int) filesFunc {
	return func(c *pki.Credential, d fleet.Device) (delivery.Files, error) {
		all, err := files(c, d)
		if err == nil {
			all[delivery.NVSFile], err = delivery.NVS(c, network, root, size)
		}
		return all, err
	}
}

type filesFunc = func(*pki.Credential, fleet.Device) (delivery.Files, error)

// nvsKeys are the keys that the flags ask for.
func (s *session) nvsKeys() (keys nvs.Keys, encrypt bool, err error) {
	if s.cli.Bool("nvs-encrypt") {
		return nvs.GenerateKeys(), true, nil
	}
	file := s.cli.Path("nvs-hmac-key")
	if file == "" {
		return keys, false, nil
	}
	text, err := readSecretFile(file)
	if err != nil {
		return keys, false, err
	}
	var efuse nvs.HMACKey
	if len(text) != len(efuse) {
		return keys, false, fmt.Errorf("%s: %d bytes, an eFuse HMAC key has %d", file, len(text), len(efuse))
	}
	copy(efuse[:], text)
	return nvs.DeriveKeys(efuse), true, nil
}

// delivered reads a board's credential back out of its delivery, which is of the
// one in force.
func delivered(files delivery.Files, d fleet.Device) (*pki.Credential, *x509.Certificate, error) {
	config, err := kconfig.ReadDefaults(delivery.DefaultsFile, files[delivery.DefaultsFile])
	if err != nil {
		return nil, nil, err
	}
	password, ok := config.Get("EAP_PASSWORD")
	if !ok {
		return nil, nil, fmt.Errorf("%s: no password in it", delivery.DefaultsFile)
	}
	cert, err := parseCertificate(files[delivery.CertificateFile])
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", delivery.CertificateFile, err)
	}
	root, err := parseCertificate(files[delivery.CAFile])
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", delivery.CAFile, err)
	}
	key, err := parseBoardKey(files[delivery.KeyFile])
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", delivery.KeyFile, err)
	}
	return &pki.Credential{MAC: d.MAC, Password: password.Text, Key: key, Certificate: cert, Issued: d.Admissions[0].Issued}, root, nil
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no PEM certificate in it")
	}
	return x509.ParseCertificate(block.Bytes)
}

func parseBoardKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("no PKCS#8 key in it")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("not a PKCS#8 key")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T, want a key that signs", key)
	}
	return signer, nil
}
