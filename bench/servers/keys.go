package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// publicKeys reads a JWK Set (RFC 7517): the keys by their id.
func publicKeys(set json.RawMessage) (map[string]any, error) {
	var document struct {
		Keys []struct{ Kid, Kty, N, E, X, Y string }
	}
	if err := json.Unmarshal(set, &document); err != nil {
		return nil, err
	}
	keys := map[string]any{}
	for _, key := range document.Keys {
		switch key.Kty {
		case "RSA":
			keys[key.Kid] = &rsa.PublicKey{N: number(key.N), E: int(number(key.E).Int64())}
		case "EC":
			keys[key.Kid] = &ecdsa.PublicKey{Curve: elliptic.P256(), X: number(key.X), Y: number(key.Y)}
		case "OKP":
			keys[key.Kid] = ed25519.PublicKey(octets(key.X))
		default:
			return nil, fmt.Errorf("a key of type %q", key.Kty)
		}
	}
	return keys, nil
}

func number(text string) *big.Int {
	return new(big.Int).SetBytes(octets(text))
}

func octets(text string) []byte {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return decoded
}
