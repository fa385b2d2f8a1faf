//go:build linux

package keeper

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// Slim gives back the memory that only the start of this process needed: freed heap, and the pages of the program itself,
// most of which (the initialisation of everything that the one binary can be) are never touched again. What is
// touched again is mapped again from the system's cache. Agent and keeper are idle most of the time; call it once a
// start is over. It is an improvement only, so there is no error.
func Slim() {
	debug.FreeOSMemory()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uintptr
		var rights string
		line := lines.Text()
		if !strings.HasSuffix(line, " "+exe) {
			continue
		}
		if n, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); err != nil || n != 3 || strings.Contains(rights, "w") {
			continue // what was written to exists nowhere else
		}
		// Only pages that are the file's own are let go of: nothing is lost.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
	}
}
