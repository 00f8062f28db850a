// Package report prints what a Go contestant says at its end: the lines that the C programs print.
package report

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Size is the program's argument, or the default.
func Size(otherwise int) int {
	if len(os.Args) > 1 {
		if size, err := strconv.Atoi(os.Args[1]); err == nil {
			return size
		}
	}
	return otherwise
}

// Finish prints the figures and ends the program.
func Finish(correct bool, checksum uint64) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var longest uint64
	for _, pause := range memory.PauseNs {
		if pause > longest {
			longest = pause
		}
	}
	result := 0
	if correct {
		result = 1
	}
	fmt.Printf("contestant=go\nchecksum=%d\ncorrect=%d\ncollections=%d\nlongest_pause_ms=%.3f\n", checksum, result,
		memory.NumGC, float64(longest)/1e6)
	if file, err := os.Open("/proc/self/status"); err == nil {
		for scanner := bufio.NewScanner(file); scanner.Scan(); {
			if fields := strings.Fields(scanner.Text()); fields[0] == "VmHWM:" {
				fmt.Printf("peak_rss_kib=%s\n", fields[1])
			}
		}
	}
	os.Exit(1 - result)
}
