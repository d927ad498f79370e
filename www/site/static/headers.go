package static

import "strings"

// policy is the Content-Security-Policy of every response, one directive an
// entry. Only this origin is ever contacted, nothing is evaluated but the
// module, and script URLs pass through the one Trusted Types policy.
var policy = []string{
	"default-src 'none'",
	"script-src 'self' 'wasm-unsafe-eval'",
	"worker-src 'self'",
	"style-src 'self'",
	"img-src 'self' blob:",
	"connect-src 'self'",
	"manifest-src 'self'",
	"base-uri 'none'",
	"form-action 'none'",
	"require-trusted-types-for 'script'",
	"trusted-types ecor",
}

// frameAncestors is left out of the <meta> element, where browsers ignore it.
const frameAncestors = "frame-ancestors 'none'"

// Header is one response header.
type Header struct{ Name, Value string }

// Headers returns the headers that every response carries, from the server and
// from the service worker alike.
func Headers() []Header {
	return []Header{
		{"Content-Security-Policy", strings.Join(append(policy[:len(policy):len(policy)], frameAncestors), "; ")},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Embedder-Policy", "require-corp"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Referrer-Policy", "no-referrer"},
		{"Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), midi=(), payment=(), usb=()"},
		{"X-Content-Type-Options", "nosniff"},
	}
}

// metaPolicy is the policy of the page's <meta> element: a second belt where a
// static host cannot set headers.
func metaPolicy() string { return strings.Join(policy, "; ") }

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
