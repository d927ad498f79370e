package host

import (
	"context"

	"github.com/ecor-clip/ecor/wasm/wire"
)

type progressKey struct{}

// WithProgress returns a context whose calls report every finished step to f,
// on the goroutine of the call.
func WithProgress(ctx context.Context, f func(wire.Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, f)
}

func progressOf(ctx context.Context) func(wire.Progress) {
	if f, ok := ctx.Value(progressKey{}).(func(wire.Progress)); ok {
		return f
	}
	return func(wire.Progress) {}
}
