"""A network comes back from disk as it was, or not at all: damage never passes for a network."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.networks import conv, linear, network, networks, norm, quickly, relu, site

from dualcost.errors import OutputError, TraceFileError
from dualcost.library import networks as library
from dualcost.network import tracefile
from dualcost.network.blocks import find_blocks
from dualcost.network.network import Network, Parameter

# one folder serves all examples of a property: each writes its file anew
in_one_folder = settings(quickly, suppress_health_check=[HealthCheck.function_scoped_fixture])


def small() -> Network:
    ops = (
        conv("d", site(4, 4, groups=4)),
        replace(norm("n", 4, 8, 0), operations=2 * 4 * 8 * 8),
        relu(4, 8, 1),
        conv("p", site(4, 8, 1, bias=True), 2),
        linear("head", 512, 10, 3),
    )
    buffers = (Parameter("n.mean", (4,), False),)
    return replace(network(*ops, blocks=find_blocks(ops, {})), buffers=buffers)


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def write_lines(path: Path, lines: list[Any]) -> None:
    path.write_bytes(gzip.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode()))


def refused(path: Path) -> TraceFileError:
    """The error that a file gives; it names the file and says what to do."""
    with pytest.raises(TraceFileError) as caught:
        tracefile.read(path)
    assert str(path) in caught.value.message
    assert "delete it" in caught.value.hint
    return caught.value


# --- whole files


@in_one_folder
@given(networks())
def test_any_network_comes_back_as_it_was(tmp_path: Path, net: Network) -> None:
    path = tmp_path / "net.jsonl.gz"
    tracefile.write(net, path)
    back = tracefile.read(path)
    assert back == net
    assert repr(back) == repr(net)  # tuples as tuples, True not 1
    header = tracefile.read_header(path)
    assert (header.name, header.inputs, header.ops) == (net.name, net.inputs, len(net.ops))
    assert (header.notes, header.versions) == (net.notes, net.versions)
    assert header.macs == sum(op.macs for op in net.ops)


@in_one_folder
@given(networks())
def test_the_same_network_gives_the_same_bytes_under_any_name(tmp_path: Path, net: Network) -> None:
    one, other = tmp_path / "one.jsonl.gz", tmp_path / "other"
    tracefile.write(net, one)
    tracefile.write(tracefile.read(one), other)
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes()[4:8] == bytes(4)  # the place of the time in a gzip header


@pytest.mark.parametrize("origin", library.ORIGINS)
def test_packaged_networks_come_back_as_they_were(origin: str, tmp_path: Path) -> None:
    for name in library.names(origin)[::4]:
        packaged = library.TRACES / origin / f"{name}{tracefile.SUFFIX}"
        net = tracefile.read(packaged)
        tracefile.write(net, tmp_path / "copy")
        assert tracefile.read(tmp_path / "copy") == net
        # zlib may compress otherwise elsewhere: what is compressed is the same
        copied, original = tmp_path / "copy", packaged
        assert gzip.decompress(copied.read_bytes()) == gzip.decompress(original.read_bytes())


def test_headers_can_be_read_alone() -> None:
    for header in library.headers():
        assert header.name
        assert header.params > 0
        assert header.ops > 0
        assert header.inputs


def test_a_file_is_lines_of_json_that_a_person_can_read(tmp_path: Path) -> None:
    tracefile.write(small(), tmp_path / "net")
    header, parameters, blocks, *ops = lines_of(tmp_path / "net")
    assert header["schema"] == tracefile.SCHEMA == 1
    assert header["params"] == 36 + 2 * 4 + (32 + 8) + (512 * 10 + 10)
    assert header["buffers"] == [["n.mean", [4], False, 4]]
    assert parameters[0] == ["d.weight", [4, 1, 3, 3], True, 4]
    assert [block[0] for block in blocks] == ["separable"]
    assert [op[0] for op in ops] == ["conv2d", "batch_norm", "relu", "conv2d", "linear"]
    # operations, bytes of an element, and the bytes of each result with the op that finds them free
    assert ops[1][-3:] == [2 * 4 * 8 * 8, 4, [[4 * 4 * 8 * 8, 3]]]


# --- damaged files


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.jsonl.gz"
    tracefile.write(small(), path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(path)


def test_a_file_with_any_bit_flipped_is_refused_or_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "net.jsonl.gz"
    tracefile.write(small(), path)
    whole = path.read_bytes()
    same = set()
    for place in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            read = tracefile.read(path)
        except TraceFileError as error:
            assert str(path) in error.message
        else:
            assert read == small()
            # it is the very same text: the check sum vouches for every byte of it
            assert gzip.decompress(bytes(damaged)) == gzip.decompress(whole)
            same.add(place // 8)
    # flags, time and system of the gzip header do not matter, nor do the bits that fill up the
    # last byte before the eight of the check sum and the length, nor where a repetition was copied
    # from, if the same stands in two places
    assert len(same - {*range(3, 10), len(whole) - 9}) <= 3


@in_one_folder
@given(st.data())
def test_a_header_of_a_damaged_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "net.jsonl.gz"
    tracefile.write(small(), path)
    damaged = bytearray(path.read_bytes())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    try:
        assert isinstance(tracefile.read_header(path), tracefile.Header)
    except TraceFileError as error:
        assert str(path) in error.message


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def replaced_at(value: Any, places: list[int], by: Any) -> Any:
    """A copy of nested lists and dictionaries with one place in it replaced."""
    if not places or not value or not isinstance(value, list | dict):
        return by
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[places[0] % len(keys)]
    copy = value.copy()
    copy[key] = replaced_at(value[key], places[1:], by)
    return copy


@settings(in_one_folder, max_examples=300)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), anything)
def test_a_file_that_says_something_else_anywhere_is_refused_or_read(
    tmp_path: Path, places: list[int], by: Any
) -> None:
    path = tmp_path / "net.jsonl.gz"
    tracefile.write(small(), path)
    write_lines(path, replaced_at(lines_of(path), places, by))
    try:
        assert isinstance(tracefile.read(path), Network)
    except TraceFileError as error:
        assert str(path) in error.message


@in_one_folder
@given(st.lists(anything, max_size=5))
def test_lines_of_foreign_json_are_refused(tmp_path: Path, lines: list[Any]) -> None:
    path = tmp_path / "net.jsonl.gz"
    write_lines(path, lines)
    refused(path)


@in_one_folder
@given(st.binary(max_size=200), st.booleans())
def test_foreign_bytes_are_refused(tmp_path: Path, content: bytes, compressed: bool) -> None:
    path = tmp_path / "net.jsonl.gz"
    path.write_bytes(gzip.compress(content) if compressed else content)
    refused(path)


@pytest.mark.parametrize(
    ("line", "place", "value", "says"),
    [
        (0, "macs", 1, "totals"),
        (0, "params", 1, "totals"),
        (0, "ops", 4, "totals"),
        (3, 7, 1, "MACs, but its site has"),  # macs of an op
        (3, 3, "convolutions", "is not one of"),  # its group
        (3, 8, ["gone.weight"], "gone.weight"),  # its parameters
        (3, 9, [4, 4, [3, 3], [1, 1], [1, 1], [1, 1], 0, False, False, [8, 8], [8, 8], 1], "Zero"),
        (3, 9, [4, 4, [3, 3], [1, 1], [1, 1], [1, 1], 3, False, False, [8, 8], [8, 8], 1], "M=4"),
    ],
)
def test_facts_that_contradict_each_other_are_refused(
    tmp_path: Path, line: int, place: Any, value: Any, says: str
) -> None:
    path = tmp_path / "net.jsonl.gz"
    tracefile.write(small(), path)
    lines = lines_of(path)
    lines[line][place] = value
    write_lines(path, lines)
    assert says in refused(path).message


def test_lines_that_are_missing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.jsonl.gz"
    tracefile.write(small(), path)
    lines = lines_of(path)
    for kept in range(len(lines)):
        write_lines(path, lines[:kept])
        refused(path)
    write_lines(path, [*lines, lines[-1]])
    refused(path)


def test_json_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.jsonl.gz"
    path.write_bytes(gzip.compress(b"[" * 200_000))
    refused(path)


def test_a_newer_schema_is_named_with_the_one_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.jsonl.gz"
    tracefile.write(small(), path)
    lines = lines_of(path)
    lines[0]["schema"] = 2
    write_lines(path, lines)
    error = refused(path)
    assert error.message == f"{path} has schema 2; this dualcost reads 1"
    assert error.hint == "delete it, or use the dualcost that wrote it"
    with pytest.raises(TraceFileError, match="has schema 2"):
        tracefile.read_header(path)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "absent.jsonl.gz")
    refused(tmp_path)


# --- atomic writing


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("stroke", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["write_bytes", "chmod", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, stroke: BaseException
) -> None:
    path = tmp_path / "net.jsonl.gz"
    tracefile.write(small(), path)
    before = listing(tmp_path)

    def fails(*arguments: object, **options: object) -> None:
        raise stroke

    monkeypatch.setattr(Path, step, fails)
    expected = OutputError if isinstance(stroke, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        tracefile.write(network(conv("other", site(3, 8))), path)
    monkeypatch.undo()
    if isinstance(caught.value, OutputError):
        assert caught.value.message == f"cannot write {path}: No space left on device"
    assert listing(tmp_path) == before
    assert tracefile.read(path) == small()


def test_a_write_replaces_the_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "net.jsonl.gz"
    tracefile.write(small(), path)
    tracefile.write(network(conv("other", site(3, 8))), path)
    assert list(listing(tmp_path)) == [path.name]
    assert tracefile.read(path).ops[0].path == "other"


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        tracefile.write(small(), tmp_path)
    (tmp_path / "net").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        tracefile.write(small(), tmp_path / "net")
    assert listing(tmp_path) == {}


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "net.jsonl.gz"
    tracefile.write(small(), path)
    assert tracefile.read(path) == small()


def test_a_file_is_as_public_as_any_other(tmp_path: Path) -> None:
    tracefile.write(small(), tmp_path / "net")
    (tmp_path / "plain").write_bytes(b"")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1
