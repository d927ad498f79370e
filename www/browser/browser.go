// Package browser starts Chromium for tools that measure or test the page.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/chromedp/chromedp"
)

// ErrNone means that there is no Chromium on this machine.
var ErrNone = errors.New("no Chromium")

// names are tried in this order where CHROMIUM is not set.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// Find returns the path of the Chromium that the environment variable CHROMIUM
// names or, where it is not set, of the first one in PATH. The error wraps
// ErrNone.
func Find() (string, error) {
	if name := os.Getenv("CHROMIUM"); name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("%w: CHROMIUM: %w", ErrNone, err)
		}
		return path, nil
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: none of %s is in PATH; CHROMIUM can name one", ErrNone, strings.Join(names, ", "))
}

// Start starts the Chromium at path without a window, with a profile of its
// own that stop removes, and with more options where they are given. The
// context is that of its first tab, for chromedp and for NewTab.
func Start(ctx context.Context, path string, more ...chromedp.ExecAllocatorOption) (tab context.Context, stop func(), err error) {
	profile, err := os.MkdirTemp("", "ecor-browser-")
	if err != nil {
		return nil, nil, err
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.Headless,
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.WindowSize(1200, 900),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		// Tabs that wait their turn work as fast as the one in front.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
		// Pages that were left, and their workers, end at once.
		chromedp.Flag("disable-back-forward-cache", true),
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(ctx, append(options, more...)...)
	tab, closeTab := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	stop = func() {
		closeTab()
		stopAllocator()
		os.RemoveAll(profile)
	}
	if err := chromedp.Do(tab); err != nil {
		stop()
		return nil, nil, err
	}
	return tab, stop, nil
}

// NewTab opens a tab with empty storage and caches of its own. closeTab forgets
// them.
func NewTab(browser context.Context) (tab context.Context, closeTab func(), err error) {
	tab, closeTab = chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	if err := chromedp.Do(tab); err != nil {
		closeTab()
		return nil, nil, err
	}
	return tab, closeTab, nil
}

// Eval runs JavaScript in a tab, waits for its promise and returns the value.
func Eval[T any](tab context.Context, script string) (T, error) {
	return chromedp.Run(tab, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}
