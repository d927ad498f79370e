package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Machine says what was measured on.
type Machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	Go       string `json:"go"`
	Chromium string `json:"chromium"` // empty where there is none
	Date     string `json:"date"`     // UTC
	Load     string `json:"load"`     // load averages over 1, 5 and 15 minutes at the start, empty where unknown
}

func thisMachine() Machine {
	m := Machine{
		CPU:   runtime.GOOS + "/" + runtime.GOARCH,
		Cores: runtime.NumCPU(),
		Go:    runtime.Version(),
		Date:  time.Now().UTC().Format("2006-01-02 15:04"),
	}
	if name := field("/proc/cpuinfo", "model name"); name != "" {
		m.CPU = name
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(b))[:3], " ")
	}
	return m
}

func (m Machine) String() string {
	s := fmt.Sprintf("%s, %d cores, %s, %s, %s UTC", m.CPU, m.Cores, m.Go, m.Chromium, m.Date)
	if m.Load != "" {
		s += ", load before " + m.Load
	}
	return s
}

// field returns the value of a "key: value" line of a file, or nothing.
func field(file, key string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
