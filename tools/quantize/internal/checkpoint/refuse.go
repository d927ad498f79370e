package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// pickleReason is why pickles are not read, and what to do.
const pickleReason = "a pickle, which runs any code it contains when it is opened, so it is not read: " +
	"convert it to safetensors where you trust it (docs/checkpoints.md says how)"

// otherFormats are the endings of checkpoints in other formats.
var otherFormats = []struct{ suffix, is string }{
	{".bin", pickleReason},
	{".pt", pickleReason},
	{".pth", pickleReason},
	{".ckpt", pickleReason},
	{".pkl", pickleReason},
	{".pickle", pickleReason},
	{".bin.index.json", "the index of pickles, which run any code they contain when they are opened, so they are not read: " +
		"convert them to safetensors where you trust them (docs/checkpoints.md says how)"},
	{".h5", "TensorFlow's format, which is not supported: want safetensors"},
	{".msgpack", "Flax's format, which is not supported: want safetensors"},
	{".onnx", "ONNX, which is not supported: want safetensors"},
	{".gguf", "GGUF, which is not supported: want safetensors"},
}

// refuseFormat reports a file that by its first bytes or its name is no safetensors file, and says what it is.
func refuseFormat(r io.ReaderAt, name string, size int64) error {
	head := make([]byte, min(size, 64))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return fmt.Errorf("%s is a zip archive, as torch.save writes: it holds %s", name, pickleReason)
	case len(head) > 1 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5:
		return fmt.Errorf("%s is %s", name, pickleReason)
	case bytes.HasPrefix(head, []byte("version https://git-lfs.")):
		return fmt.Errorf("%s is a Git LFS pointer: the file itself was not downloaded", name)
	}
	for _, f := range otherFormats {
		if strings.HasSuffix(strings.ToLower(name), f.suffix) {
			return fmt.Errorf("%s is %s", name, f.is)
		}
	}
	return nil
}

// missingWeights explains what there is instead of a layout's weights.
func missingWeights(names []string, l layout) error {
	if err := otherWeights(names, l); err != nil {
		return err
	}
	return fmt.Errorf("there is no %s", l.weightsFiles()[0])
}

// otherWeights refuses files in another format where a layout's weights are missing.
func otherWeights(names []string, l layout) error {
	if weightsFile(names, l) != "" {
		return nil
	}
	for _, f := range otherFormats {
		for _, name := range names {
			if strings.HasSuffix(strings.ToLower(name), f.suffix) {
				return fmt.Errorf("there is no %s; %s is %s", l.weightsFiles()[0], name, f.is)
			}
		}
	}
	return nil
}
