package custody

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// helperPrefix begins the file name of every helper, as sigstore has it.
const helperPrefix = "sigstore-kms-"

// helperFolder is where packages put helpers.
const helperFolder = "/usr/lib/tcpboot"

// A helper is an executable that was found trustworthy, and the key that it is
// asked for.
type helper struct {
	path    string // absolute, without symbolic links
	key     string
	environ []string
	timeout time.Duration
}

func (k Keyring) helper(uri string) (*helper, error) {
	key, err := storedKey(uri)
	if err != nil {
		return nil, err
	}
	scheme := Store(uri)
	path, err := k.findHelper(helperPrefix + scheme)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", scheme, err)
	}
	timeout := k.Timeout
	if timeout == 0 {
		timeout = time.Minute
	}
	return &helper{path, key, environFor(scheme, k.Environ), timeout}, nil
}

// findHelper looks into the folders in turn, never on PATH. What it finds first
// must be fit to run: it does not look further for something better.
func (k Keyring) findHelper(name string) (string, error) {
	folders, err := k.helperFolders()
	if err != nil {
		return "", err
	}
	for _, dir := range folders {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return trusted(path, os.Geteuid())
	}
	return "", fmt.Errorf("the key lies in a key store, and its helper, %s, is not in %s", name, strings.Join(folders, " or "))
}

func (k Keyring) helperFolders() ([]string, error) {
	switch {
	case k.Helpers == "":
		folders := []string{helperFolder}
		if exe, err := os.Executable(); err == nil {
			folders = slices.Insert(folders, 0, filepath.Dir(exe))
		}
		return folders, nil
	case !filepath.IsAbs(k.Helpers):
		return nil, fmt.Errorf("the folder of helpers, %q: want an absolute path", k.Helpers)
	}
	return []string{filepath.Clean(k.Helpers)}, nil
}

// variables says which environment variables a key store needs beside HOME:
// where its libraries look for their settings, and for who they are.
var variables = map[string][]string{
	"pkcs11":  {"SOFTHSM2_CONF", "OPENSC_CONF", "YUBIHSM_PKCS11_CONF", "ChrystokiConfigurationPath", "CS_PKCS11_R3_CFG"},
	"yubikey": {"PCSCLITE_CSOCK_NAME"},
	"vault": online("VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CAPATH", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY",
		"VAULT_TLS_SERVER_NAME"),
	"aws": online("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ACCESS_KEY_ID",
		"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		"AWS_CA_BUNDLE", "AWS_USE_FIPS_ENDPOINT", "AWS_ENDPOINT_URL_KMS"),
	"gcp": online("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_QUOTA_PROJECT"),
	"azure": online("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
		"AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT"),
}

// online are the variables of a store on the network.
func online(own ...string) []string {
	return append(own, "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
}

// environFor selects from environ what the helper of scheme gets. It is never
// nil, which would stand for all of ours.
func environFor(scheme string, environ []string) []string {
	selected := []string{}
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if name == "HOME" || slices.Contains(variables[scheme], name) {
			selected = append(selected, v)
		}
	}
	return selected
}
