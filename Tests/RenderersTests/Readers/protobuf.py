"""Reads protobuf messages without generated code: of the wire types, the two that profile.proto uses."""

from totals import check


def fields(data):
    """(number, value) of a message: an integer, or bytes."""
    position = 0

    def varint():
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        else:
            check(tag & 7 == 2, "wire type", tag & 7)
            length = varint()
            check(position + length <= len(data), "length", length)
            yield tag >> 3, data[position:position + length]
            position += length
