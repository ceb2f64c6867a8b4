"""Whether stacks are right: the agent's unwinder beside libunwind, libgcc's and the program itself, inside programs that nobody here wrote.

Tests/AgentCore/Programs/crosscheck.c, preloaded, does the comparing and says what the words mean. A row is one program of those that
a command runs:

  equal      of the samples without JIT code, those whose frames are what libunwind says, or where that has lost its way what libgcc
             says, or where both have what the program did: it was single-stepped until its functions had returned
  complete   those walked to the outermost frame
  with JIT   samples with code made at run time on the stack, which has no description and no second opinion; how many were whole
"""

import collections
import glob
import os
import random
import subprocess
import sys

from measure import HERE, folder, tool

ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = os.path.join(ROOT, "Tests/AgentCore/Programs")
CORE = os.path.join(ROOT, "Agent/Core")
LEAST_SAMPLES = 100  # of a program that gets a row
TIMEOUT = 100

OUTCOMES = ["complete", "complete by frame pointers", "too deep", "no module", "no CFI", "bad CFI", "no progress", "bad stack"]
DIFFERENCES = {
    "own-alone": "libunwind and libgcc agree on something else",
    "own-stops": "another unwinder goes on where the own one ends (from an exception that is landing: through stray words)",
    "others-stop": "both others end in code without CFI; not seen to return in the steps that were allowed",
    "all-different": "each says something else",
}

UNIT = """
#include <iostream>
#include <regex>
int main() { std::string s; std::regex r("(a|b)*c"); while (std::cin >> s) std::cout << std::regex_match(s, r); }
"""

QUERY = """
create table t(a integer primary key, b text);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 900000)
  insert into t select x, printf('%08d', (x * 7919) % 900007) from n;
create index i on t(b);
select count(*), sum(length(b)), max(b) from t where b like '%77%' order by b;
select a.b, count(*) from t a join t b on a.b = b.b group by substr(a.b, 1, 3) order by 2 desc, 1 limit 5;
"""

PYTHON = """
import hashlib, json, re
words = [hashlib.md5(str(i).encode()).hexdigest() for i in range(500000)]
words.sort(key=lambda w: w[::-1])
table = {}
for w in words: table.setdefault(re.sub('[0-9]', '', w)[:2], []).append(w)
text = json.dumps(table)
print(len(text), len(json.loads(text)), hashlib.sha1(text.encode()).hexdigest())
"""

JAVASCRIPT = """
const words = new Map(); let text = '';
for (let i = 0; i < 400000; i++) { const w = 'w' + (i * 7919 % 5003); words.set(w, (words.get(w) || 0) + 1); text += w + ' '; }
const sorted = [...words].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
let n = JSON.parse(JSON.stringify(sorted)).length;
for (let r = 0; r < 10; r++) n += text.replace(/w([0-9]+)/g, (m, d) => d * 2).length + text.split(' ').length;
for (let r = 0; r < 4; r++) n += require('zlib').gzipSync(text).length;
for (let r = 0; r < 200; r++) n += require('crypto').createHash('sha256').update(text).digest('hex').length;
console.log(n);
"""

RUST = """
use std::collections::{BTreeMap, HashMap};
#[derive(Debug, Clone, PartialEq)]
enum E { A(u32), B(String), C(Vec<E>), D(HashMap<u32, String>) }
fn make(n: u32) -> E {
    match n % 4 { 0 => E::A(n), 1 => E::B(format!("{n:?} {n:08x}")), 2 => E::C((0..n % 7).map(|i| make(n / 2 + i)).collect()),
                  _ => E::D((0..n).map(|i| (i, i.to_string())).collect()) }
}
fn main() {
    let mut m = BTreeMap::new();
    for i in 0..100u32 { m.insert(i, make(i % 11)); }
    let mut v: Vec<_> = m.iter().filter(|(k, _)| *k % 2 == 0).map(|(k, v)| format!("{k} {v:?}")).collect();
    v.sort_by(|a, b| b.cmp(a));
    println!("{}", v.join("\\n"));
}
"""


def build(where):
    """The library that compares, with all of the agent but its constructor."""
    library = os.path.join(where, "crosscheck.so")
    flags = "-std=gnu17 -O2 -g -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-stack-protector -shared -Wl,-z,now,-z,noexecstack"
    includes = ["-I", CORE, "-I", os.path.join(ROOT, "Agent/Format/include")]
    sources = [os.path.join(PROGRAMS, "crosscheck.c"), *glob.glob(os.path.join(CORE, "*.c")), *glob.glob(os.path.join(CORE, "*.S"))]
    subprocess.run(["gcc", *flags.split(), *includes, "-o", library, *sources], check=True)
    return library


def make_video(path, width=320, height=192, frames=360):
    """Frames that are as hard to encode as real ones: a pattern that moves, and noise."""
    noise = random.Random(1).randbytes(width * height * 2)
    with open(path, "wb") as out:
        out.write(b"YUV4MPEG2 W%d H%d F25:1 Ip C420jpeg\n" % (width, height))
        for n in range(frames):
            row = bytes((x * 5 + 3 * n >> 2 & 127) for x in range(width + height))
            luma = bytearray(b"".join(row[y : y + width] for y in range(height)))
            for at in range(0, len(luma), 3):
                luma[at] += noise[at + n * 13 % len(luma)] & 31
            out.write(b"FRAME\n" + luma + bytes([128 + n % 16]) * (width * height // 2))


def workloads(where):
    """(command, microseconds between samples). Assembly is stepped, which takes a while: it is sampled less often."""

    def write(name, text):
        with open(os.path.join(where, name), "w") as out:
            out.write(text)

    def compile(compiler, source, *flags):
        program = os.path.join(where, os.path.splitext(source)[0])
        subprocess.run([compiler, "-O2", *flags, "-o", program, os.path.join(PROGRAMS, source)], check=True)
        return program

    write("a.cpp", UNIT)
    write("a.js", JAVASCRIPT)
    write("a.rs", RUST)
    make_video(os.path.join(where, "a.y4m"))
    rustc = "/usr/bin/rustc" if os.path.exists("/usr/bin/rustc") else tool("rustc")
    return [
        (["g++", "-O2", "-c", "-o", os.devnull, "a.cpp"], 500),
        (["openssl", "speed", "-seconds", "1", "-bytes", "8192", "sha256", "aes-256-cbc", "rsa2048", "ecdsap256"], 700),
        (["/usr/bin/python3", "-c", PYTHON], 500),
        (["sqlite3", ":memory:", QUERY], 500),
        (["x264", "--threads", "1", "--preset", "slow", "-o", os.devnull, "a.y4m"], 800),
        (["node", "a.js"], 500),
        ([rustc, "-O", "-o", "a.rust", "a.rs"], 300),
        ([compile("gcc", "strings.c", "-fno-builtin", "-D_GNU_SOURCE"), "2500000"], 500),
        ([compile("g++", "exceptions.cpp"), "150000"], 500),
    ]


class Count:
    """What the processes of one program have said, added up."""

    def __init__(self):
        self.numbers = collections.Counter()
        self.outcomes = {"outcome": collections.Counter(), "jit-outcome": collections.Counter()}
        self.places = collections.Counter()

    def read(self, path):
        with open(path) as lines:
            for line in lines:
                words = line.split()
                if words[0] == "samples":
                    self.numbers.update({name: int(number) for name, number in zip(words[::2], words[1::2])})
                elif words[0] in self.outcomes:
                    self.outcomes[words[0]][int(words[1])] += int(words[2])
                else:
                    what = words[1] if words[0] == "different" else "incomplete"
                    self.places[(what, int(words[-3]), os.path.basename(words[-2]))] += int(words[-1])

    def share(self, *names):
        return 100 * sum(self.numbers[name] for name in names) / max(self.numbers["samples"], 1)

    def complete(self, which):
        counts = self.outcomes[which]
        return 100 * (counts[0] + counts[1]) / max(sum(counts.values()), 1)

    def show(self, name):
        n = self.numbers
        jit = f"{n['jit']:6} {self.complete('jit-outcome'):6.2f}%" if n["jit"] else ""
        print(
            f"{name:<12} {n['samples']:7} {self.share('equal', 'libgcc', 'run'):7.2f}% {self.complete('outcome'):7.2f}%"
            f" {n['equal']:7} {n['libgcc']:6} {n['run']:6} {n['different']:6}   {jit}"
        )

    def explain(self, name):
        groups = collections.defaultdict(list)
        for (what, outcome, place), count in self.places.items():
            groups[(what, outcome, place.split("+")[0])].append((count, place))
        for (what, outcome, module), places in sorted(groups.items()):
            text = DIFFERENCES.get(what, f"ends with '{OUTCOMES[outcome]}'")
            top = ", ".join(f"{place.split('+')[1]} {count}" for count, place in sorted(places, reverse=True)[:4])
            print(f"  {name}: {sum(count for count, _ in places)} x {text}: {module} ({top})")


def main():
    with folder() as where:
        library = build(where)
        out = os.path.join(where, "out")
        os.mkdir(out)
        counts, failures = {}, []
        for words, microseconds in workloads(where):
            environment = {**os.environ, "LD_PRELOAD": library, "CROSSCHECK_OUT": out, "CROSSCHECK_US": str(microseconds)}
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
            try:
                ended = subprocess.run(words, cwd=where, env=environment, timeout=TIMEOUT, check=False, **quiet)
                if ended.returncode != 0:
                    failures.append(f"{words[0]}: status {ended.returncode}: {ended.stderr[-300:].decode(errors='replace')}")
            except subprocess.TimeoutExpired:
                failures.append(f"{words[0]}: still running after {TIMEOUT} s")
            for file in os.listdir(out):
                counts.setdefault(file.rsplit(".", 1)[0], Count()).read(os.path.join(out, file))
                os.remove(os.path.join(out, file))
        print("stacks     samples    equal complete  libunwind libgcc run different   with JIT")
        shown = {name: count for name, count in counts.items() if count.numbers["samples"] >= LEAST_SAMPLES}
        for name, count in shown.items():
            count.show(name)
        for name, count in shown.items():
            count.explain(name)
        if failures:
            sys.exit("\n".join(failures))


main()
