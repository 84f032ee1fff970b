"""Spoil what is inside a container, and close it again: sizes and checksums fit, so that the inside is read."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

from mnist_core.recording.run_archive import MANIFEST
from mnist_core.recording.tensorboard import masked_crc

Spoiler = Callable[[bytes, Random], bytes]
"""Return content with faults in it."""

NASTY = (
    b"\x00", b"\xff\xfe", b"NaN", b"-Infinity", b"1e999", b"9" * 400, b"null", b"[]", b"{}", b'"', b"\n", b",,", b"../",
    b"/etc/passwd", b"%s%n", "\u202e\U0001f600".encode(), b"<script>", b"[" * 3000, b"-1", b"true",
    b"1e-400", b"PK\x03\x04",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**62, -(2**62), 1e308, -0.5, "", "x" * 300, "\u202e", "NaN", [], {}, [[]], [None],
    [2**62, 2**62], {"class_name": "x"}, [[[[[]]]]],
)  # fmt: skip
_NUMBERS = (b"\xff" * 8, bytes(8), b"\xff\xff\xff\x7f", b"\0\0\0\x40", b"\0\0\0\0\0\0\0\x80", b"\x01\0\0\0\0\0\0\0")
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def spoiled(sample: bytes, random: Random) -> bytes:
    """Return a sample with one to four faults: bytes changed, cut out, put in twice, or nasty ones put in."""
    content = bytearray(sample)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(content) + 1)
        length = random.choice((1, 1, 2, 8, 64, 4096))
        match random.randrange(6):
            case 0 if place < len(content):
                content[place] = random.randrange(256)
            case 1:
                del content[place : place + length]
            case 2:
                content[place:place] = content[place : place + length]
            case 3:
                content[place:place] = random.choice(NASTY)
            case 4:
                content[place : place + length] = random.choice(NASTY)
            case _:
                del content[place:]
    return bytes(content)


def in_place(content: bytes, random: Random, *, first: int | None = None) -> bytes:
    """Return content of the same length, with one to three places of binary numbers changed. first: only there."""
    made = bytearray(content)
    span = min(len(made), first or len(made))
    for _ in range(random.randint(1, 3)):
        place = random.randrange(max(span, 1))
        other = random.randrange(max(span, 1))
        change = random.choice((*_NUMBERS, bytes([random.randrange(256)]), content[other : other + 16]))
        made[place : place + len(change)] = change
    return bytes(made[: len(content)])


def in_json(content: bytes, random: Random) -> bytes:
    """Return JSON in which one value has given way to another, or is gone."""
    data = json.loads(content)
    places: list[tuple[Any, Any]] = []

    def collect(item: Any) -> None:
        keys = item if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        for key in keys:
            places.append((item, key))
            collect(item[key])

    collect(data)
    for _ in range(random.randint(1, 2)):
        if not places:
            break
        item, key = random.choice(places)
        if random.random() < 0.2 and isinstance(item, dict):
            item.pop(key, None)
        else:
            holder, other = random.choice(places)
            known = holder.get(other) if isinstance(holder, dict) else None
            item[key] = json.loads(json.dumps(random.choice((*_VALUES, known))))
    return json.dumps(data).encode()


def in_npy(content: bytes, random: Random) -> bytes:
    """Return a `.npy` file with a spoiled header, or with spoiled values."""
    if random.random() < 0.5:
        return in_place(content, random, first=128)
    end = content.find(b"\n", 10) + 1
    head = content[10:end].decode("latin-1")
    for before, after in random.sample(
        [("'<f4'", "'<f8'"), ("'<f4'", "'O'"), ("'|u1'", "'<U9'"), ("(", "(-"), ("(", "(9999999999, "), (",)", ")"),
         ("'<i8'", "'<M8[s]'"), ("'<i8'", "'<u8'"), ("False", "True"), ("'<", "'>"), ("'<f8'", "'<c16'")], 3,
    ):  # fmt: skip
        head = head.replace(before, after, 1)
    text = head.rstrip("\n").rstrip().encode("latin-1")
    padded = text.ljust(end - 11)[: max(end - 11, len(text))] + b"\n"
    return content[:8] + struct.pack("<H", len(padded)) + padded + content[end:]


def in_zip(content: bytes, random: Random) -> bytes:
    """Return an archive in which one member is spoiled, packed again with the right sizes and checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = random.choice(sorted(members))
    members[chosen] = _of_member(chosen)(members[chosen], random)
    if MANIFEST in members and chosen != MANIFEST:
        _, run, file = chosen.split("/")
        manifest = json.loads(members[MANIFEST])
        found = members[chosen]
        manifest["runs"][run][file] = {"bytes": len(found), "sha256": hashlib.sha256(found).hexdigest()}
        members[MANIFEST] = json.dumps(manifest).encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return made.getvalue()


def _of_member(name: str) -> Spoiler:
    """Return how a member of an archive is spoiled: by what it is, or its bytes at random where it is text."""
    return {"npy": in_npy, "json": in_json, "h5": in_place, "npz": in_zip, "keras": in_zip}.get(
        name.rpartition(".")[2], spoiled
    )


def in_events(content: bytes, random: Random) -> bytes:
    """Return an event file in which one record is spoiled, with the right length and checksums."""
    records, place = [], 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        records.append(content[place + 12 : place + 12 + length])
        place += length + 16
    chosen = random.randrange(len(records))
    records[chosen] = random.choice((spoiled, in_place))(records[chosen], random)
    return b"".join(_record(data) for data in records)


def _record(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


def in_png(content: bytes, random: Random) -> bytes:
    """Return a PNG in which one chunk is spoiled, with the right checksum; pixels before their compression."""
    chunks, place = [], len(_PNG_HEAD)
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        chunks.append([content[place + 4 : place + 8], content[place + 8 : place + 8 + length]])
        place += length + 12
    chosen = random.choice(chunks)
    kind, data = chosen
    if kind == b"IDAT" and random.random() < 0.7:
        chosen[1] = zlib.compress(random.choice((spoiled, in_place))(zlib.decompress(data), random))
    elif data:
        chosen[1] = random.choice((spoiled, in_place))(data, random)
    else:
        chosen[0] = random.choice((b"tEXt", b"zTXt", b"iCCP", b"PLTE", b"tRNS", b"acTL", b"eXIf"))
        chosen[1] = b"x\0\0" + zlib.compress(b"y" * 10**6)
        chunks.append([b"IEND", b""])
    return _PNG_HEAD + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
