//go:build integration

package integration

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(roleVariable); file != "" {
		os.Exit(playRole(file))
	}
	code := m.Run()
	if productsDir != "" {
		os.RemoveAll(productsDir)
	}
	os.Exit(code)
}
