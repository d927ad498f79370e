package photo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

var extensions = []string{".jpg", ".jpeg", ".png", ".webp", ".gif"}

// Expand replaces every directory in paths by the photo files below it, in
// lexical order, told by extension; names that begin with a dot are left out.
// Files are kept whatever their name is. Paths that cannot be read are left out and
// make up the error, which may come with files.
func Expand(paths []string) ([]string, error) {
	var files []string
	var errs []error
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				errs = append(errs, err)
				return nil
			}
			hidden := name != path && strings.HasPrefix(entry.Name(), ".")
			switch {
			case entry.IsDir() && hidden:
				return fs.SkipDir
			case entry.IsDir() || hidden:
				return nil
			case slices.Contains(extensions, strings.ToLower(filepath.Ext(name))):
				files = append(files, name)
			}
			return nil
		})
		errs = append(errs, err)
	}
	return files, errors.Join(errs...)
}
