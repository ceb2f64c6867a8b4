"""The memory that the library adds to a program, and how large a trace is that holds next to nothing."""

import os
import resource
import statistics
import subprocess

from measure import HERE, LIBRARY, ROOT, compile_c, compiler_at_work, cpu_seconds, folder


def own_memory(program, threads, environment):
    """KB that the program says it uses."""
    return int(subprocess.run([program, str(threads)], env={**os.environ, **environment}, capture_output=True, text=True, check=True).stdout)


def peak_memory(words, environment):
    """KB at the most, as the kernel counts them for a process that has ended."""
    process = subprocess.Popen(words, env={**os.environ, **environment})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{words[0]} ended with status {status}")
    return usage.ru_maxrss


def main():
    with folder() as where:
        with_library = {"LD_PRELOAD": LIBRARY, "STATPROF_OUT": os.path.join(where, "%e.%p")}
        program = compile_c(where, "memory", os.path.join(HERE, "memory.c"))
        for threads in (1, 200):
            added = [own_memory(program, threads, with_library) - own_memory(program, threads, {}) for _ in range(5)]
            print(f"memory added, {threads} thread{'s' if threads > 1 else ''}: {statistics.median(added) / 1024:.2f} MB  ({min(added)} to {max(added)} KB, 5 pairs)")
        words = compiler_at_work(where)
        added = [peak_memory(words, with_library) - peak_memory(words, {}) for _ in range(5)]
        print(f"memory added, cc1plus at its peak: {statistics.median(added) / 1024:.2f} MB  ({min(added)} to {max(added)} KB, 5 pairs)")
        for name in os.listdir(where):
            if name.startswith(("memory.", "cc1plus.")):
                os.remove(os.path.join(where, name))
        smallest = compile_c(where, "shares", os.path.join(ROOT, "Tests", "EndToEnd", "Programs", "shares.c"))
        sizes = []
        for _ in range(20):
            cpu_seconds([smallest, "1", "0.006"], with_library, stdout=subprocess.DEVNULL)
            for name in os.listdir(where):
                if name.startswith("shares."):
                    sizes.append(os.path.getsize(os.path.join(where, name)))
                    os.remove(os.path.join(where, name))
        print(f"trace of a process of a tick or two: {max(sizes) / 1024:.0f} KB at most, of {len(sizes)}")


main()
