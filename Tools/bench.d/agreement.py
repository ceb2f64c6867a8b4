"""How the functions and lines that statprof-report finds agree with those of llvm-symbolizer and addr2line, address by address.

The program and the addresses of bench.d/symbolize.py. Names are compared as linkage names. Counts are those of addresses on which all is
equal and, after a slash, of those on which at most the spelling of a name is not."""

import collections
import gzip
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile

from make_trace import trace_of_addresses
from measure import HERE, REPORT, folder
from symbolize import ADDRESSES, build_id, make_program, wanted

sys.path.append(os.path.join(HERE, "../../Tests/RenderersTests/Readers"))
from protobuf import fields

PIECE = 10_000
TOOLS = {"llvm-symbolizer": ["--no-demangle", "--output-style=GNU"], "addr2line": []}
# What compilers add to names of pieces and copies, and bench.d/symbolize.py to all symbols of each copy of its unit.
SUFFIX = re.compile(r"(\.(cold|part|constprop|isra|lto_priv|llvm|localalias)(\.\d+)*|\.c\d+|(?<=^work)\d+)(?=\.|$)")
VARIANT = re.compile(r"(?<=[CD])I?\d")
OPERATOR = re.compile(r"\boperator ?(<=>|->\*?|<<=?|>>=?|[<>]=?|\(\))")

Frame = collections.namedtuple("Frame", "linkage shown file line")


def frame(linkage, shown, file, line):
    return Frame(linkage, shown, *((os.path.normpath(file), line) if line and file != "??" else ("??", 0)))


def by_statprof(program, trace):
    """Frames by address, the innermost first."""
    with tempfile.NamedTemporaryFile(suffix=".pb.gz") as out:
        subprocess.run([REPORT, trace, "--no-cache", "--format", "pprof", "--output", out.name], check=True)
        tables = collections.defaultdict(list)
        for number, value in fields(gzip.open(out.name).read()):
            tables[number].append(value)
    strings = [text.decode() for text in tables[6]]
    functions = {row[1]: [strings[row.get(field, 0)] for field in (3, 2, 4)] for row in map(dict, map(fields, tables[5]))}
    ours = {row[1] for row in map(dict, map(fields, tables[3])) if strings[row[5]] == os.path.abspath(program)}
    found = {}
    for row in map(list, map(fields, tables[4])):
        if dict(row).get(2) in ours:
            lines = [dict(fields(value)) for number, value in row if number == 4]
            frames = [(*functions[line[1]], line.get(2, 0)) for line in lines]
            found[dict(row)[3]] = [frame(linkage or shown, shown, file, line) for linkage, shown, file, line in frames]
    return found


def by_tool(words, program, addresses):
    """The same of a tool that writes as addr2line does."""
    found = {}
    for first in range(0, len(addresses), PIECE):
        asked = "".join(f"0x{address:x}\n" for address in addresses[first:first + PIECE])
        text = subprocess.run([*words, "-e", program, "-a", "-i", "-f"], input=asked, capture_output=True, text=True, check=True).stdout
        lines = filter(None, text.splitlines())
        for line in lines:
            if re.fullmatch("0x[0-9a-f]+", line):
                frames = found[int(line, 16)] = []
            else:
                file, _, number = re.sub(r" \(discriminator \d+\)$", "", next(lines)).rpartition(":")
                frames.append(frame(line, line, file, int(number) if number.isdigit() else 0))
    return found


def base(shown):
    """A function's name without its types and where it is declared."""
    text, longer = OPERATOR.sub("operator@", re.sub(r"( \[clone [^]]*\])+$", "", shown)), None
    while text != longer:
        longer, text = text, re.sub(r"<[^<>()]*>|\([^<>()]*\)", "", text)
    return re.split(r"::| (?!\{)", re.sub(r"( const| volatile| &+)+$", "", text))[-1]


def spelling(ours, theirs):
    """How two names of one function differ; None: they are not of one."""
    a, b = (SUFFIX.sub("", side.linkage) for side in (ours, theirs))
    if a == b:
        return "suffix of a piece or copy"
    if a.startswith("[") and b == "??":
        return "no function"
    if VARIANT.sub("", a) == VARIANT.sub("", b):
        return "variant of a constructor or destructor"
    if not b.startswith("_Z") and base(ours.shown) == base(theirs.shown):
        return "name without its namespace or parameters"
    return None


def naming(ours, theirs, position):
    """(kind of difference, whether only one of spelling) of two functions at one depth."""
    a, b = ours[position], theirs[position]
    if kind := spelling(a, b):
        return kind, True
    if a.linkage.startswith("["):
        return "a name for what is in no function", False
    if position != -1 and spelling(ours[-1], b):
        return "an inlined function called by the name of the outermost", False
    return "another function", False


def compare(title, ours, theirs):
    kinds, examples, equal, spelled = collections.Counter(), {}, collections.Counter(), collections.Counter()
    for address in ours:
        a, b = ours[address], theirs[address]
        depth = len(a) == len(b)
        places = range(-len(a), 0) if depth else [-1]
        names = {i: naming(a, b, i) for i in places if a[i].linkage != b[i].linkage}
        found = {f"{'outermost' if i == -1 else 'inlined'}: {kind}" for i, (kind, _) in names.items()}
        inner, calls = a[0][2:] == b[0][2:], [f[2:] for f in a[1:]] == [f[2:] for f in b[1:]]
        found |= {text for text, same in (("depth", depth), ("innermost line", inner), ("line of a call", calls or not depth)) if not same}
        for counter, wrong in ((equal, names), (spelled, {i: kind for i, kind in names.items() if not kind[1]})):
            counter["outermost function"] += -1 not in wrong
            counter["chain of functions"] += depth and not wrong
            counter["innermost file:line"] += inner
            counter["everything"] += depth and not wrong and inner and calls
        for kind in found:
            kinds[kind] += 1
            examples.setdefault(kind, address)
    print(f"\n{title}, {len(ours)} addresses")
    for what, count in equal.items():
        print(f"  {what}: {count} ({count / len(ours):.3%}) / {spelled[what]} ({spelled[what] / len(ours):.3%})")
    for kind, count in kinds.most_common():
        print(f"  {count} differ, {kind}. 0x{examples[kind]:x}:")
        for side in (ours, theirs):
            print("    " + " < ".join(f"{f.linkage[:120]} {f.file}:{f.line}" for f in side[examples[kind]]))


def main():
    tools = {tool: options for tool, options in TOOLS.items() if shutil.which(tool)}
    if not tools:
        sys.exit("agreement: neither llvm-symbolizer nor addr2line is installed")
    with folder() as where:
        program, trace = os.path.abspath(make_program(where)), os.path.join(where, "trace")
        trace_of_addresses(trace, program, build_id(program), wanted(program, ADDRESSES))
        answers = {"statprof-report": by_statprof(program, trace)}
        addresses = sorted(answers["statprof-report"])
        for tool, options in tools.items():
            answers[tool] = by_tool([tool, *options], program, addresses)
        for (title, ours), (other, theirs) in itertools.combinations(answers.items(), 2):
            compare(f"{title} and {other}", ours, theirs)


if __name__ == "__main__":
    main()
