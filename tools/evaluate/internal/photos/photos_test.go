package photos

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeShard makes a shard whose members hold their own names.
func writeShard(t *testing.T, path string, names ...string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "test/", Typeflag: tar.TypeDir}))
	for _, n := range names {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: n, Size: int64(len(n)), Mode: 0o644}))
		_, err := w.Write([]byte(n))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
}

func shards(t *testing.T) Shards {
	dir := t.TempDir()
	writeShard(t, filepath.Join(dir, "images-000.tar.gz"), "test/cat/0.webp", "train/cat/1.webp", "test/dog/2.webp", "README")
	writeShard(t, filepath.Join(dir, "images-001.tar.gz"), "train/dog/3.webp", "test/cat/4.webp", "test/owl/5.webp")
	return Shards{dir, "test"}
}

// read returns what a set holds, by number.
func read(t *testing.T, s Set, numbers ...int) map[int]string {
	t.Helper()
	got := map[int]string{}
	require.NoError(t, s.Read(numbers, func(n int, data []byte, err error) bool {
		require.NoError(t, err)
		got[n] = string(data)
		return true
	}))
	return got
}

func TestShards(t *testing.T) {
	s := shards(t)
	assert.True(t, HasShards(s.Dir))
	assert.False(t, HasShards(t.TempDir()))
	list, err := s.List()
	require.NoError(t, err)
	assert.Equal(t, []Photo{{"test/cat/0.webp", "cat"}, {"test/dog/2.webp", "dog"}, {"test/cat/4.webp", "cat"}, {"test/owl/5.webp", "owl"}}, list)
	assert.Equal(t, map[int]string{0: "test/cat/0.webp", 1: "test/dog/2.webp", 2: "test/cat/4.webp", 3: "test/owl/5.webp"}, read(t, s, 0, 1, 2, 3))
	assert.Equal(t, map[int]string{1: "test/dog/2.webp", 3: "test/owl/5.webp"}, read(t, s, 1, 3))
	assert.Empty(t, read(t, s))

	train, err := Shards{s.Dir, "train"}.List()
	require.NoError(t, err)
	assert.Len(t, train, 2)
}

func TestReadStops(t *testing.T) {
	calls := 0
	require.NoError(t, shards(t).Read([]int{0, 1, 2}, func(int, []byte, error) bool {
		calls++
		return calls < 2
	}))
	assert.Equal(t, 2, calls)
}

func TestDamagedShard(t *testing.T) {
	s := shards(t)
	path := filepath.Join(s.Dir, "images-001.tar.gz")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, b[:len(b)/2], 0o600))
	_, err = s.List()
	assert.ErrorContains(t, err, "images-001.tar.gz: ")
	require.NoError(t, os.WriteFile(path, []byte("not a gzip file"), 0o600))
	_, err = s.List()
	assert.ErrorContains(t, err, "images-001.tar.gz: ")
	_, err = Shards{t.TempDir(), "test"}.List()
	assert.ErrorContains(t, err, "there is no images-*.tar.gz")
}

func write(t *testing.T, dir, name string) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(name), 0o600))
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"night owl/b.jpg", "night owl/a.PNG", "cat/deep/down/c.webp", "cat/notes.txt", "stray.jpg", ".git/x.jpg", "empty/.hidden.jpg"} {
		write(t, dir, name)
	}
	f, err := Folder(dir)
	require.NoError(t, err)
	assert.Equal(t, []Photo{{"cat/deep/down/c.webp", "cat"}, {"night owl/a.PNG", "night owl"}, {"night owl/b.jpg", "night owl"}}, f.Photos)
	assert.Equal(t, []string{"cat", "empty", "night owl"}, f.Categories())
	assert.Equal(t, map[int]string{1: "night owl/a.PNG"}, read(t, f, 1))

	require.NoError(t, os.Remove(filepath.Join(dir, "night owl/a.PNG")))
	var failed []int
	require.NoError(t, f.Read([]int{0, 1, 2}, func(n int, data []byte, err error) bool {
		if err != nil {
			failed = append(failed, n)
		}
		return true
	}))
	assert.Equal(t, []int{1}, failed, "the others are read")

	_, err = Folder(t.TempDir())
	assert.ErrorContains(t, err, filepath.Join("CATEGORY", "PHOTO.jpg"))
	_, err = Folder(filepath.Join(dir, "absent"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestIndexed(t *testing.T) {
	dir := t.TempDir()
	index := func(text string) error {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "index.tsv"), []byte(text), 0o600))
		_, err := Indexed(dir)
		return err
	}
	write(t, dir, "cat.jpg")
	require.NoError(t, index("wnid\tfile\tcategory\nn1\tcat.jpg\ttabby\nn2\tdog.jpg\tbeagle\n"))
	f, err := Indexed(dir)
	require.NoError(t, err)
	assert.Equal(t, []Photo{{"cat.jpg", "tabby"}, {"dog.jpg", "beagle"}}, f.Photos)
	assert.Equal(t, map[int]string{0: "cat.jpg"}, read(t, f, 0))
	assert.ErrorContains(t, index("file\tname\na\tb\n"), `there is no column "category"`)
	assert.ErrorContains(t, index("file\tcategory\na\n"), "line 2 has 1 fields, the first line has 2")
	assert.ErrorContains(t, index("file\tcategory\n../a.jpg\tb\n"), `the file "../a.jpg" is not in its folder`)
}

func TestSpread(t *testing.T) {
	assert.Equal(t, []int{0, 1, 2}, Spread(0, 3))
	assert.Equal(t, []int{0, 1, 2}, Spread(9, 3))
	assert.Equal(t, []int{0, 2, 5, 7}, Spread(4, 10))
	assert.Equal(t, "[0 333 666]", fmt.Sprint(Spread(3, 1000)))
}
