package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
)

//go:embed assets
var assetFiles embed.FS

//go:embed templates/*.html
var templateFiles embed.FS

// asset is one file of the pages, ready to send.
type asset struct {
	plain, packed []byte
	kind          string
	hash          string
}

// assets by address without "/assets/".
type assets map[string]asset

// packedAssets are the embedded files, packed once a process: they never change.
var packedAssets = sync.OnceValues(loadAssets)

func loadAssets() (assets, error) {
	all := make(assets)
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(b); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		kind := mime.TypeByExtension(path.Ext(name))
		switch path.Ext(name) {
		case ".js":
			kind = "text/javascript; charset=utf-8"
		case ".css":
			kind = "text/css; charset=utf-8"
		case ".svg":
			kind = "image/svg+xml"
		case ".txt", "":
			kind = "text/plain; charset=utf-8"
		}
		all[strings.TrimPrefix(name, "assets/")] = asset{b, packed.Bytes(), kind, hex.EncodeToString(sum[:8])}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	return all, nil
}

// address is where a page finds an asset; it changes with the content.
func (a assets) address(name string) (string, error) {
	f, ok := a[name]
	if !ok {
		return "", fmt.Errorf("asset %s: there is none", name)
	}
	return "/assets/" + name + "?v=" + f.hash, nil
}

func showAsset(v *visit) error {
	f, ok := v.s.assets[v.Param("*")]
	if !ok {
		return echo.ErrNotFound
	}
	h := v.Response().Header()
	h.Set("Vary", "Accept-Encoding")
	h.Set("Etag", `"`+f.hash+`"`)
	h.Set("Cache-Control", "no-cache")
	if v.QueryParam("v") == f.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if v.Request().Header.Get("If-None-Match") == `"`+f.hash+`"` {
		return v.NoContent(http.StatusNotModified)
	}
	if strings.Contains(v.Request().Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		return v.Blob(http.StatusOK, f.kind, f.packed)
	}
	return v.Blob(http.StatusOK, f.kind, f.plain)
}
