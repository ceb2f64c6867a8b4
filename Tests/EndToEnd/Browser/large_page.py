"""Makes a page of many samples out of another page: the same file with a profile that is written here, after HTMLData.swift."""

import base64
import json
import random
import re
import zlib


def columns(*lists):
    result = bytearray()

    def number(value):
        while value > 0x7F:
            result.append(value & 0x7F | 0x80)
            value >>= 7
        result.append(value)
    for values in lists:
        number(len(values))
        for value in values:
            number(value)
    return bytes(result)


def signed(values):
    before, result = 0, []
    for value in values:
        difference, before = value - before, value
        result.append(difference << 1 if difference >= 0 else (-difference << 1) - 1)
    return result


def write(template, path, samples=300_000, stacks=150_000, functions=9_000, threads=40):
    """Writes the page and returns the microseconds that its samples add up to."""
    random.seed(7)
    strings = [f"namespace_{i % 40}::Class_{i % 300}<int, std::string>::method_{i}(int, char const*)" for i in range(functions)]
    # Stacks grow as those of a compiler do: deep, most of them different near their end.
    steps, frames, leaves, depth = [], [], [], -1
    while len(leaves) < stacks:
        up = 0 if depth < 18 else min(depth, int(random.expovariate(0.3)) + 1) if depth < 60 else depth // 2
        steps.append(up)
        depth += 1 - up
        frames.append(int(functions * random.random() ** 3))
        leaves.append(len(frames) - 1)
    counts = [samples // threads] * threads
    distances, nodes, weights = [], [], []
    for thread in range(threads):
        at = random.randrange(stacks)
        for _ in range(counts[thread]):
            distances.append(random.randrange(1, 26))
            at = (at + int(random.gauss(0, 2000))) % stacks
            nodes.append(leaves[at])
            weights.append(random.randrange(900, 1100))
    total = sum(weights)
    end = max(sum(distances[thread * counts[0]:(thread + 1) * counts[0]]) for thread in range(threads)) * 100 + 100
    profile = {
        "shown": {"samples": samples, "sampled": total, "unsampled": 0, "dropsUnsampled": 0},
        "run": {"cpu": total, "samples": samples, "unsampled": 0, "agent": 0, "duration": end, "end": end, "step": 100, "askedRate": 1000,
                "achievedRate": 1000},
        "leftOut": {"nodes": 0, "weight": 0},
        "facts": [{"label": "Command", "lines": ["large"], "warns": 0}], "marks": [],
        "processes": [{"pid": 1, "name": "large", "command": "large", "end": "exited", "cpu": total, "unsampled": 0}],
        "threads": [{"process": 0, "tid": 100 + thread, "name": f"worker-{thread}"} for thread in range(threads)],
        "modules": [{"name": "large", "path": "/opt/large"}], "sources": [], "sourcesMissing": {"count": 0, "first": []},
        "sourcesCut": {"count": 0, "first": []}, "strings": strings,
    }
    text = json.dumps(profile).encode()
    every = list(range(functions))
    zeros = [0] * functions
    data = len(text).to_bytes(4, "little") + text + columns(
        every, every, [1] * functions, zeros, zeros, zeros, every, zeros, zeros, zeros, steps, frames, counts, distances, signed(nodes), weights,
        [1] * samples)
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    island = base64.b64encode(packer.compress(data) + packer.flush()).decode()
    page = open(template, encoding="utf-8").read()
    page = re.sub(r'(<script type="application/octet-stream" id="profile">)[^<]*', lambda found: found.group(1) + island, page)
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)
    return total
