package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The libraries below reach Azure under its own names alone. So tests play the
// network: a proxy at which every name leads to one server, with a certificate that
// this process trusts.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "azure-")
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { cloud.ServeHTTP(w, r) }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(filepath.Join(dir, "ca.pem"))}}
	server.StartTLS()
	proxy := startProxy(server.Listener.Addr().String())
	for name, value := range map[string]string{
		"SSL_CERT_FILE": filepath.Join(dir, "ca.pem"), "HTTPS_PROXY": "http://" + proxy,
		"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": "tcpboot", "AZURE_CLIENT_SECRET": "secret4321",
	} {
		os.Setenv(name, value)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// cloud answers for every name.
var cloud http.Handler

// certificate makes a certificate for the names of Azure, and writes it down.
func certificate(file string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"login.microsoftonline.com", "*.vault.azure.net"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// startProxy connects whoever asks with server, whatever they ask for.
func startProxy(server string) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go connect(client, server)
		}
	}()
	return listener.Addr().String()
}

func connect(client net.Conn, server string) {
	defer client.Close()
	reader := bufio.NewReader(client)
	if r, err := http.ReadRequest(reader); err != nil || r.Method != http.MethodConnect {
		return
	}
	up, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer up.Close()
	io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go io.Copy(up, reader)
	io.Copy(client, up)
}
