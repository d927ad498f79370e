package test

import (
	"encoding/json"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ecor-clip/ecor/www/site/static"
)

// TestManifest: the browser takes the page for an app that can be installed, and
// every icon has the size that the manifest says.
func TestManifest(t *testing.T) {
	s := tinySite(t)
	p := newPage(t)
	p.open(s.URL)
	got, err := chromedp.Call(p.ctx, cdppage.GetAppManifest, cdppage.GetAppManifestParams{})
	require.NoError(t, err)
	assert.Empty(t, got.Errors)
	require.Equal(t, s.URL+"/manifest.webmanifest", got.URL)
	errors, err := chromedp.Call(p.ctx, cdppage.GetInstallabilityErrors, cdp.Empty{})
	require.NoError(t, err)
	for _, e := range errors.InstallabilityErrors {
		assert.Equal(t, "in-incognito", e.ErrorID, "a test's tab has storage of its own")
	}

	var manifest struct {
		ID, Name, Display, Lang, Scope string
		ShortName                      string `json:"short_name"`
		StartURL                       string `json:"start_url"`
		BackgroundColor                string `json:"background_color"`
		ThemeColor                     string `json:"theme_color"`
		Icons                          []struct{ Src, Sizes, Type, Purpose string }
	}
	require.NoError(t, json.Unmarshal([]byte(got.Data), &manifest))
	assert.Equal(t, "ecor", manifest.Name)
	assert.LessOrEqual(t, len(manifest.ShortName), 12, "longer names are cut")
	assert.Equal(t, "standalone", manifest.Display)
	assert.Equal(t, "en", manifest.Lang)
	base, err := url.Parse(got.URL)
	require.NoError(t, err)
	at := func(path string) string {
		u, err := base.Parse(path)
		require.NoError(t, err)
		return u.String()
	}
	for name, path := range map[string]string{"id": manifest.ID, "start": manifest.StartURL, "scope": manifest.Scope} {
		assert.Equal(t, s.URL+"/", at(path), name)
	}
	color := eval[string](p, `document.querySelector("meta[name=theme-color][media*=light]").content`)
	assert.Equal(t, []string{color, color}, []string{manifest.ThemeColor, manifest.BackgroundColor})

	var squares []string
	for _, icon := range manifest.Icons {
		response, err := http.Get(at(icon.Src))
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode, icon.Src)
		assert.Equal(t, icon.Type, response.Header.Get("Content-Type"), icon.Src)
		assert.True(t, slices.ContainsFunc(s.assets.Files, func(f static.File) bool { return f.Path == icon.Src }), "%s is kept for offline use", icon.Src)
		if icon.Sizes == "any" {
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			assert.Contains(t, string(text), "<svg", icon.Src)
			continue
		}
		side, _, _ := strings.Cut(icon.Sizes, "x")
		config, err := png.DecodeConfig(response.Body)
		require.NoError(t, err, icon.Src)
		assert.Equal(t, icon.Sizes, strconv.Itoa(config.Width)+"x"+strconv.Itoa(config.Height), icon.Src)
		squares = append(squares, icon.Purpose+" "+side)
	}
	assert.Subset(t, squares, []string{"any 192", "any 512", "maskable 512"}, "what installing asks for")
}
