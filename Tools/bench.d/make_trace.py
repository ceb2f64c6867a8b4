"""Writes traces that no run of a sane length would leave, from docs/trace-format.md."""

import os
import struct


def crc32c(data, table=[]):
    if not table:
        for value in range(256):
            for _ in range(8):
                value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
            table.append(value)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value):
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def text(data):
    return varint(len(data)) + data


class Bits:
    def __init__(self):
        self.value = self.count = 0

    def put(self, value, width):
        self.value |= value << self.count
        self.count += width

    def number(self, value, width):
        length = value.bit_length()
        self.put(length, width)
        if length > 1:
            self.put(value & (1 << length - 1) - 1, length - 1)

    def bytes(self):
        return self.value.to_bytes((self.count + 7) // 8, "little")


def chunk(trace_id, sequence, first_node, payload):
    size = (64 + len(payload) + 4095) // 4096 * 4096
    head = struct.pack("<IHHIIIIIIQ8s", 0x4B435053, 1, 64, size, 1, sequence, 4242, first_node, 0, 0, trace_id[:8])
    head += struct.pack("<IIII", crc32c(head), 0, len(payload), crc32c(payload))
    return (head + payload).ljust(size, b"\0")


def trace_of_addresses(path, program, build_id, addresses, bias=0x10000000):
    """A trace of one thread of `program` with a sample of a millisecond at each of these addresses of the file."""
    trace_id = b"addresses of one"
    header = struct.pack("<8sHHIQHHI16s16s16s16s", b"\x89SPROF\r\n", 1, 1, 4096, 0, 62, 0, 4096, b"0.1.0", trace_id, b"s" * 16, b"b" * 16)
    header += struct.pack("<IIQQQIIBBHIQQQQI", 4242, 1, 0, 1, 0, 4242, 1000, 0, 0, 2, 4000000, 10**9, 1767225600 * 10**9, 0, 0, 4242)
    header += struct.pack("<I", crc32c(header))
    end = bias + max(addresses) + 4096
    mapping = b"".join(map(varint, [1, bias, end, 0, bias, 0, 1, 0, 0, 0, 0, 0])) + text(build_id) + text(program.encode()) + varint(0)
    name = b"".join(map(varint, [4242, 0, 0])) + text(b"made")
    payload = b"\x01" + text(mapping) + b"\x03" + text(name)
    chunks, node, weight = [], 1, 0
    first = node
    for address in addresses:
        bits = Bits()
        bits.number(0, 6)
        bits.number(1, 4)
        bits.put(0b10, 2)
        bits.number(1 << 3, 6)
        bits.number(address, 7)
        payload += b"\x41" + bits.bytes() + zigzag(0) + zigzag(1000 - weight)
        node, weight = node + 1, 1000
        if len(payload) > 60000:
            chunks.append(chunk(trace_id, len(chunks), first, payload))
            payload, first, weight = b"", node, 0
    if payload:
        chunks.append(chunk(trace_id, len(chunks), first, payload))
    live = struct.pack("<IIQQQQQ", 1, 0, len(addresses) * 1000, len(addresses) * 1000, len(addresses) * 1000, 0, 4096 + sum(map(len, chunks)))
    with open(path, "wb") as out:
        out.write((header.ljust(2048, b"\0") + live).ljust(4096, b"\0") + b"".join(chunks))
