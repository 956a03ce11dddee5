package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// immutable is for files whose name changes with their content.
const immutable = "public, max-age=31536000, immutable"

// manifest is what build.mjs writes beside the files it makes.
type manifest struct {
	Pages map[string]bundle `json:"pages"` // by page name
	Icon  string            `json:"icon"`
	Card  string            `json:"card"` // the picture of shared links
}

// bundle names the files of one page.
type bundle struct {
	Script  string   `json:"script"`
	Style   string   `json:"style"`
	Preload []string `json:"preload"` // modules the script imports
}

// asset is one file of dist, ready to be written.
type asset struct {
	contentType string
	plain, gzip []byte // gzip is nil when it would not be smaller
}

// assets are all files of dist by name. They do not change after loadAssets.
type assets struct {
	manifest manifest
	files    map[string]asset
}

// loadAssets reads dist. A dist that holds no manifest has not been built: the
// result has no pages and err is nil.
func loadAssets(dist fs.FS) (*assets, error) {
	a := &assets{files: map[string]asset{}}
	raw, err := fs.ReadFile(dist, "manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read page manifest: %w", err)
	}
	if err = json.Unmarshal(raw, &a.manifest); err != nil {
		return nil, fmt.Errorf("parse page manifest: %w", err)
	}
	for _, name := range a.manifest.names() {
		if a.files[name], err = readAsset(dist, name); err != nil {
			return nil, fmt.Errorf("page asset %s: %w", name, err)
		}
	}
	return a, nil
}

// names lists every file the manifest speaks of; some appear more than once.
func (m manifest) names() []string {
	names := []string{m.Icon, m.Card}
	for _, b := range m.Pages {
		names = append(names, b.Script, b.Style)
		names = append(names, b.Preload...)
	}
	return names
}

func readAsset(dist fs.FS, name string) (asset, error) {
	contentType := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // the machine's own table may say otherwise
	case ".js":
		contentType = "text/javascript; charset=utf-8"
	case ".css":
		contentType = "text/css; charset=utf-8"
	case ".svg":
		contentType = "image/svg+xml"
	case ".jpg":
		contentType = "image/jpeg"
	}
	plain, err := fs.ReadFile(dist, name)
	if err != nil {
		return asset{}, err
	}
	packed, err := fs.ReadFile(dist, name+".gz")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return asset{}, err
	}
	return asset{contentType: contentType, plain: plain, gzip: packed}, nil
}

func (a *assets) built() bool { return len(a.manifest.Pages) > 0 }

func (f asset) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", immutable)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	body := f.plain
	if f.gzip != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body = f.gzip
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// acceptsGzip reports whether an Accept-Encoding header names gzip (RFC 9110
// §12.5.3) with a weight above zero.
func acceptsGzip(header string) bool {
	for item := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(item, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			return !zeroWeight(params)
		}
	}
	return false
}

func zeroWeight(params string) bool {
	value, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
	if !ok {
		return false
	}
	q, err := strconv.ParseFloat(value, 64)
	return err == nil && q == 0
}
