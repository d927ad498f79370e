package host

import (
	"fmt"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// allowedImports are the WASI functions that Go's runtime needs. None opens a
// file or a socket.
var allowedImports = []string{
	"args_get", "args_sizes_get", "clock_time_get", "environ_get", "environ_sizes_get",
	"fd_write", "poll_oneoff", "proc_exit", "random_get", "sched_yield",
}

// checkImports refuses a module that could reach more than its own memory.
func checkImports(m wazero.CompiledModule) error {
	for _, f := range m.ImportedFunctions() {
		module, name, _ := f.Import()
		if module != wasi_snapshot_preview1.ModuleName || !slices.Contains(allowedImports, name) {
			return fmt.Errorf("the module imports %s.%s, which this host does not allow", module, name)
		}
	}
	if n := len(m.ImportedMemories()); n > 0 {
		return fmt.Errorf("the module imports %d memories; this host allows none", n)
	}
	return nil
}
