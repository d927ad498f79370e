package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv("CHROMIUM", "")
	_, err := Find()
	require.ErrorIs(t, err, ErrNone)
	assert.ErrorContains(t, err, "google-chrome")

	for _, name := range []string{"google-chrome", "chromium"} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, nil, 0o700))
		path, err := Find()
		require.NoError(t, err)
		assert.Equal(t, file, path, "chromium comes before google-chrome")
	}

	other := filepath.Join(t.TempDir(), "mine")
	t.Setenv("CHROMIUM", other)
	_, err = Find()
	require.ErrorIs(t, err, ErrNone)
	assert.ErrorContains(t, err, other)
	require.NoError(t, os.WriteFile(other, nil, 0o700))
	path, err := Find()
	require.NoError(t, err)
	assert.Equal(t, other, path)
}

// TestStart runs scripts in the first tab and in one with storage of its own.
func TestStart(t *testing.T) {
	path, err := Find()
	if err != nil {
		if os.Getenv("ECOR_REQUIRE_BROWSER") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	first, stop, err := Start(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(stop)
	second, closeTab, err := NewTab(first)
	require.NoError(t, err)
	t.Cleanup(closeTab)

	for _, tab := range []context.Context{first, second} {
		require.NoError(t, chromedp.Do(tab, chromedp.Navigate(server.URL)))
	}
	_, err = Eval[string](first, "localStorage.mark = 'here'")
	require.NoError(t, err)
	mark, err := Eval[string](second, "Promise.resolve(String(localStorage.mark))")
	require.NoError(t, err)
	assert.Equal(t, "undefined", mark)
	_, err = Eval[string](first, "Promise.reject(new Error('refused'))")
	require.ErrorContains(t, err, "refused")
}
