#!/bin/sh
# The one entry to this repository. Everything it makes goes to dist/.
#
#   ./build.sh build        dist/ecor.wasm, dist/ecor-relaxed.wasm, dist/weights/, dist/www/
#   ./build.sh run          build, then serve the page on localhost
#   ./build.sh test         every Go test, natively and (core/) as WebAssembly
#   ./build.sh test-lint    gofmt, go vet, staticcheck, TypeScript's checker and axe-core's rules (npm)
#   ./build.sh test-train   tests of tools/train (Python with PyTorch)
#   ./build.sh bench        speed, sizes, cold start, memory
#   ./build.sh soak         5000 photos in the page; fuzz targets, SOAK_SECONDS each (default 60)
#   ./build.sh shapes       random checkpoints of SHAPES (default vit-b-32,vit-b-16,vit-l-14): time, memory, loss
#   ./build.sh clean        remove dist/
#
# Needs Go 1.24 or newer; it fetches the toolchain named below by itself.
set -eu
cd "$(dirname "$0")"

export GOTOOLCHAIN=go1.27.4
export GOEXPERIMENT=simd
# The experiment has no meaning for the C toolchain; nothing here uses cgo.
export CGO_ENABLED=0

STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The module is built without the runtime's copies of malloc for each size
# class and without its newer garbage collector: 4 % of the file. The hot paths do
# not allocate; docs/performance.md has the comparison.
MODULE_EXPERIMENT=simd,nosizespecializedmalloc,nogreenteagc

# module builds the engine twice: for every browser, and for those with relaxed
# SIMD, whose instructions Go writes wrong (wasm/relax).
module() {
	mkdir -p dist
	link_module dist/ecor.wasm.new -tags=
	mv dist/ecor.wasm.new dist/ecor.wasm
	link_module dist/ecor-relaxed.wasm.new -tags=relaxed
	go run ./tools/relax dist/ecor-relaxed.wasm.new dist/ecor-relaxed.wasm
	rm dist/ecor-relaxed.wasm.new
	for file in dist/ecor.wasm dist/ecor-relaxed.wasm; do
		echo "$file: $(wc -c <$file) bytes, $(gzip -9 -c $file | wc -c) with gzip"
	done
}

link_module() {
	GOEXPERIMENT=$MODULE_EXPERIMENT GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -trimpath "$2" -o "$1" ./wasm
}

# weights makes the browser weights again only when something they depend on
# has changed.
weights() {
	stamp=$(cat weights/ecor-mini/* weights/labels/everyday.json $(find core tools/quantize wasm/host/labelpack -name '*.go') | cksum)
	if [ "$(cat dist/weights/stamp 2>/dev/null)" = "$stamp" ]; then
		echo "dist/weights: up to date"
		return
	fi
	go run ./tools/quantize -in weights/ecor-mini -labels weights/labels/everyday.json -out dist/weights
	echo "$stamp" >dist/weights/stamp
}

build() {
	module
	weights
	go run ./www/site build -dist dist
}

runner() {
	mkdir -p dist
	go build -o dist/wasirun ./tools/wasirun
}

# kernels runs the kernels' tests with the given flags and prints which kernel
# set each sweep executed; go test shows that only with -v.
kernels() {
	if ! go test -v "$@" ./core/kernel >dist/kernel-tests.log 2>&1; then
		cat dist/kernel-tests.log
		exit 1
	fi
	grep -E '^(core/kernel on|ok|not run)' dist/kernel-tests.log
}

test_go() {
	runner
	go test -timeout 20m ./...
	kernels
	echo "core/ as WebAssembly under wazero:"
	GOOS=wasip1 GOARCH=wasm go test -exec "$PWD/dist/wasirun" ./core/...
	GOOS=wasip1 GOARCH=wasm kernels -exec "$PWD/dist/wasirun"
	echo "core/kernel of the relaxed module in Chromium:"
	GOOS=wasip1 GOARCH=wasm kernels -tags relaxed -exec "$PWD/dist/wasirun -chromium"
}

test_lint() {
	unformatted=$(gofmt -l core wasm www tools)
	if [ -n "$unformatted" ]; then
		echo "gofmt would change:" $unformatted
		exit 1
	fi
	go vet ./...
	GOOS=wasip1 GOARCH=wasm go vet ./core/... ./wasm
	GOOS=wasip1 GOARCH=wasm go vet -tags relaxed ./core/kernel
	# The generic kernels, for processors without kernels of their own.
	GOEXPERIMENT= go vet ./core/...
	GOARCH=arm64 go build ./core/...
	mkdir -p dist
	GOBIN="$PWD/dist" go install "$STATICCHECK"
	# staticcheck does not know that a host calls the module's exports, and each
	# build uses only one of two kernel sets: unused code is looked for elsewhere.
	GOOS=wasip1 GOARCH=wasm dist/staticcheck -checks inherit,-U1000 ./core/... ./wasm
	dist/staticcheck $(go list ./... | grep -v core/kernel\$)
	(cd www && npm ci --ignore-scripts --no-audit --no-fund && npm run lint)
	go test ./www/test -run '^TestRules$' -count 1
}

test_train() {
	python=${PYTHON:-python3}
	"$python" -m unittest discover -s tools/train/tests
}

soak() {
	ECOR_MANY=5000 go test ./www/test -run '^TestManyPhotos$' -count 1 -timeout 60m -v
	for package in $(go list ./core/... ./wasm/... ./tools/...); do
		for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
			echo "$package $target"
			go test -run '^$' -fuzz "^$target\$" -fuzztime "${SOAK_SECONDS:-60}s" "$package"
		done
	done
}

case "${1:-}" in
build) build ;;
run)
	build
	exec go run ./www/site serve -dir dist/www
	;;
test) test_go ;;
test-lint) test_lint ;;
test-train) test_train ;;
bench)
	build
	go run ./tools/bench
	;;
soak) soak ;;
shapes) ECOR_SHAPES=${SHAPES:-vit-b-32,vit-b-16,vit-l-14} go test ./tools/quantize -run '^TestShapes$' -count 1 -v -timeout 2h ;;
clean) rm -rf dist ;;
*)
	sed -n '2,13s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
