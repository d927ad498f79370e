package main

import (
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Report is everything that was measured. What was left out is empty.
type Report struct {
	Machine Machine     `json:"machine"`
	Runs    int         `json:"runs"`
	Hosts   []string    `json:"hosts"`
	Kernels []KernelRow `json:"kernels,omitempty"`
	Photos  *PhotoTable `json:"photos,omitempty"`
	Large   *PhotoTable `json:"large,omitempty"`
	Memory  []Row       `json:"memory,omitempty"`
	Start   []Row       `json:"start,omitempty"`
	Sizes   []Size      `json:"sizes,omitempty"`
}

// PhotoTable is what a set of photos took.
type PhotoTable struct {
	Photos string `json:"photos"`
	Rows   []Row  `json:"rows"`
}

// print writes the report as Markdown tables.
func (r *Report) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nMedians of %d runs after warm-up, the hosts taking turns; p10: a tenth of the runs were as fast or faster.\n", r.Machine, r.Runs)
	if r.Kernels != nil {
		r.printKernels(w)
	}
	if r.Photos != nil {
		r.printRows(w, "Photo", r.Photos.Photos, r.Photos.Rows)
	}
	if r.Large != nil {
		r.printRows(w, "Large photo", r.Large.Photos, r.Large.Rows)
	}
	if r.Memory != nil {
		r.printRows(w, "Memory", "greatest, after all photos and one of 48 megapixels", r.Memory)
	}
	if r.Start != nil {
		r.printRows(w, "Cold start", "all files on this machine", r.Start)
	}
	if r.Sizes != nil {
		rows := [][]string{{"file", "bytes", "gzip"}}
		for _, s := range r.Sizes {
			rows = append(rows, []string{s.Name, strconv.Itoa(s.Raw), strconv.Itoa(s.Gzip)})
		}
		fmt.Fprint(w, "\n### Sizes\n\n")
		table(w, rows)
	}
}

func (r *Report) printRows(w io.Writer, title, note string, list []Row) {
	fmt.Fprintf(w, "\n### %s (%s)\n\n", title, note)
	header := []string{""}
	var hosts []string
	for _, h := range r.Hosts {
		for _, row := range list {
			if _, ok := row.Hosts[h]; ok {
				hosts = append(hosts, h)
				header = append(header, h, "p10")
				break
			}
		}
	}
	rows := [][]string{header}
	for _, row := range list {
		cells := []string{strings.TrimSuffix(row.Name+", "+row.Unit, ", ")}
		for _, h := range hosts {
			s, ok := row.Hosts[h]
			switch {
			case !ok:
				cells = append(cells, "", "")
			case s.Runs == 1:
				cells = append(cells, digits(s.Median), "")
			default:
				cells = append(cells, digits(s.Median), digits(s.P10))
			}
		}
		rows = append(rows, cells)
	}
	table(w, rows)
}

// printKernels adds up what the kernels take of each image tower.
func (r *Report) printKernels(w io.Writer) {
	for tower, kernels := range byTower(r.Kernels) {
		fmt.Fprintf(w, "\n### Kernels of %s (GMAC/s or million elements/s; ms of a photo's image tower)\n\n", tower)
		header := []string{"kernel", "calls per photo"}
		for _, h := range r.Hosts {
			header = append(header, h, "p10", "ms per photo")
		}
		rows := [][]string{header}
		all, products := make(map[string]float64), make(map[string]float64)
		for _, k := range kernels {
			unit, scale := "M/s", 1e6
			if k.Product {
				unit, scale = "GMAC/s", 1e9
			}
			cells := []string{k.Name + ", " + unit, strconv.Itoa(k.PerPhoto)}
			for _, h := range r.Hosts {
				s := k.Hosts[h]
				rate := func(seconds float64) string { return digits(float64(k.Ops) / seconds / scale) }
				ms := s.Median * float64(k.PerPhoto) * 1e3
				all[h] += ms
				if k.Product {
					products[h] += ms
				}
				cells = append(cells, rate(s.Median), rate(s.P10), digits(ms))
			}
			rows = append(rows, cells)
		}
		sum, share := []string{"sum", ""}, []string{"linear layers' share, %", ""}
		for _, h := range r.Hosts {
			sum = append(sum, "", "", digits(all[h]))
			share = append(share, "", "", digits(100*products[h]/all[h]))
		}
		table(w, append(rows, sum, share))
	}
}

// byTower yields the kernels of each tower, in their order.
func byTower(kernels []KernelRow) iter.Seq2[string, []KernelRow] {
	return func(yield func(string, []KernelRow) bool) {
		for len(kernels) > 0 {
			n := 1
			for n < len(kernels) && kernels[n].Tower == kernels[0].Tower {
				n++
			}
			if !yield(kernels[0].Tower, kernels[:n]) {
				return
			}
			kernels = kernels[n:]
		}
	}
}

// digits writes a number with three significant digits.
func digits(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	if v == 0 {
		return "0"
	}
	s := strconv.FormatFloat(v, 'g', 3, 64)
	if strings.Contains(s, "e") {
		return strconv.FormatFloat(v, 'f', 4, 64)
	}
	return s
}

// table writes rows, the first of them the header, as a Markdown table whose
// columns also line up as plain text.
func table(w io.Writer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell), 3)
		}
	}
	line := func(row []string) {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				fmt.Fprint(w, "| ", cell, pad)
			} else {
				fmt.Fprint(w, " | ", pad, cell)
			}
		}
		fmt.Fprintln(w, " |")
	}
	line(rows[0])
	rule := make([]string, len(width))
	for i := range rule {
		rule[i] = strings.Repeat("-", width[i])
		if i > 0 {
			rule[i] = rule[i][1:] + ":"
		}
	}
	line(rule)
	for _, row := range rows[1:] {
		line(row)
	}
}
