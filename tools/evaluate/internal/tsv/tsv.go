// Package tsv reads tables of tab-separated fields that are never quoted.
package tsv

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Read returns the named columns of the table at path, whose first line names
// all of them.
func Read(path string, columns ...string) ([][]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	header := strings.Split(lines[0], "\t")
	at := make([]int, len(columns))
	for i, c := range columns {
		if at[i] = slices.Index(header, c); at[i] < 0 {
			return nil, fmt.Errorf("%s: there is no column %q", path, c)
		}
	}
	rows := make([][]string, 0, len(lines)-1)
	for i, line := range lines[1:] {
		fields := strings.Split(line, "\t")
		row := make([]string, len(columns))
		for j, k := range at {
			if k >= len(fields) {
				return nil, fmt.Errorf("%s: line %d has %d fields, the first line has %d", path, i+2, len(fields), len(header))
			}
			row[j] = fields[k]
		}
		rows = append(rows, row)
	}
	return rows, nil
}
