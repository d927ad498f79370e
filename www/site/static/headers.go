package static

import "strings"

// policy returns the Content-Security-Policy, one directive an entry. Only this
// origin is ever contacted, nothing is evaluated but the module, and script
// URLs pass through the one Trusted Types policy.
func policy(connect string) []string {
	return []string{
		"default-src 'none'",
		"script-src 'self' 'wasm-unsafe-eval'",
		"worker-src 'self'",
		"style-src 'self'",
		"img-src 'self' blob:",
		"connect-src " + connect,
		"manifest-src 'self'",
		"base-uri 'none'",
		"form-action 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types ecor",
	}
}

const (
	// A first visit fetches the model.
	connectFirst = "'self'"
	// Once the site is on the device its workers read it from there themselves.
	connectInstalled = "'none'"
	// frameAncestors is left out of the <meta> element, where browsers ignore it.
	frameAncestors = "frame-ancestors 'none'"
)

// permissions lists what the page may not use; the camera it asks for where the user wants a snapshot.
var permissions = []string{
	"accelerometer=()", "camera=(self)", "display-capture=()", "geolocation=()", "gyroscope=()", "hid=()",
	"idle-detection=()", "magnetometer=()", "microphone=()", "midi=()", "payment=()", "serial=()", "usb=()", "xr-spatial-tracking=()",
}

// Header is one response header.
type Header struct{ Name, Value string }

// Headers returns the headers that every response of the server carries.
func Headers() []Header { return headers(connectFirst) }

// InstalledHeaders returns those that the service worker gives instead.
func InstalledHeaders() []Header { return headers(connectInstalled) }

func headers(connect string) []Header {
	return []Header{
		{"Content-Security-Policy", strings.Join(append(policy(connect), frameAncestors), "; ")},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Embedder-Policy", "require-corp"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Referrer-Policy", "no-referrer"},
		{"Permissions-Policy", strings.Join(permissions, ", ")},
		{"X-DNS-Prefetch-Control", "off"},
		{"X-Content-Type-Options", "nosniff"},
	}
}

// metaPolicy is the policy of the page's <meta> element: a second belt where a
// static host cannot set headers.
func metaPolicy() string { return strings.Join(policy(connectFirst), "; ") }

// headersFile renders Headers in the format that several static hosts read
// from a file named _headers.
func headersFile() []byte {
	var b strings.Builder
	b.WriteString("/*\n")
	for _, h := range Headers() {
		b.WriteString("  " + h.Name + ": " + h.Value + "\n")
	}
	return []byte(b.String())
}
