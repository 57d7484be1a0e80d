package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// certs makes a certificate authority in a folder, and certificates of it for a server called
// localhost and for a client.
func certs(args []string) error {
	if len(args) != 1 {
		return errors.New("name a folder")
	}
	authority, authorityKey, err := certificate("authority", nil, nil)
	if err != nil {
		return err
	}
	if err := save(args[0], "ca", authority.Raw, nil); err != nil {
		return err
	}
	for _, name := range []string{"server", "client"} {
		made, key, err := certificate(name, authority, authorityKey)
		if err != nil {
			return err
		}
		if err := save(args[0], name, made.Raw, key); err != nil {
			return err
		}
	}
	return nil
}

func certificate(name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		DNSNames:              []string{"localhost"},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:                  parent == nil,
		BasicConstraintsValid: true,
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, err
	}
	made, err := x509.ParseCertificate(der)
	return made, key, err
}

func save(dir, name string, der []byte, key *ecdsa.PrivateKey) error {
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, name+".pem"), block, 0o600); err != nil || key == nil {
		return err
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	block = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
	return os.WriteFile(filepath.Join(dir, name+".key"), block, 0o600)
}
