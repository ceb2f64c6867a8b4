// Goroutines on many threads, panics, a child process, signals, and Go's own profiler, which owns SIGPROF while it runs.
package main

// #include <stdlib.h>
// static int twice(int n) { volatile int s = 0; for (int i = 0; i < n; i++) s += 2; return s; }
import "C"

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
)

func count(n int) (s int) {
	kept := map[int]string{}
	for i := 0; i < n; i++ {
		s = (s*31 + i) % 1000003
		if i%100 == 0 {
			kept[s] = fmt.Sprint(i)
		}
	}
	return s + len(kept)
}

func recovered(n int) (s int) {
	defer func() {
		if recover() != nil {
			s = n
		}
	}()
	var p *int
	return *p
}

func all(n int) {
	results := make([]int, n)
	var group sync.WaitGroup
	for i := range results {
		group.Add(1)
		go func(i int) { defer group.Done(); results[i] = count(100000 * (i + 1)) }(i)
	}
	group.Wait()
	fmt.Println(results)
}

func main() {
	runtime.GOMAXPROCS(4)
	all(8)
	sum := 0
	for i := 0; i < 20000; i++ {
		sum += recovered(i)
	}
	fmt.Println(sum, C.twice(1000000))
	out, err := exec.Command("/bin/sh", "-c", "echo child; exit 5").Output()
	fmt.Printf("%s%v\n", out, err)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-signals)
	var profile bytes.Buffer
	pprof.StartCPUProfile(&profile)
	all(8)
	pprof.StopCPUProfile()
	fmt.Println(profile.Len() > 0)
	all(2)
	os.Exit(6)
}
