from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.safetensors_header import Header, build_header, read_header
from core.tensors import TORCH_DTYPES, digest, iterate_tensors, read_tensors, tensor_bytes, write_tensors
from core.texts import UserError

LIBRARY_DTYPES = [dtype for name, dtype in TORCH_DTYPES.items() if name != "C64"]


def assorted() -> dict[str, torch.Tensor]:
    """Every type, a scalar, an empty one, one that is not contiguous, one that wants a gradient."""
    tensors = {str(dtype): torch.arange(6).reshape(2, 3).to(dtype) for dtype in LIBRARY_DTYPES}
    tensors["scalar"] = torch.tensor(3.5)
    tensors["empty"] = torch.empty(0, 4)
    tensors["turned"] = torch.randn(3, 5).T
    tensors["trained"] = torch.randn(2, requires_grad=True)
    tensors["naïve name"] = torch.tensor([True, False, True])
    return tensors


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and digest({"x": one}) == digest({"x": other})


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    tensors = assorted()
    write_tensors(tmp_path / "x.safetensors", tensors, {"format": "pt", "ä": "ö"})
    read = load_file(tmp_path / "x.safetensors")
    assert read.keys() == tensors.keys()
    assert all(same_bits(read[name], tensors[name]) for name in tensors)
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "ä": "ö"}


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    tensors = {name: tensor.detach().contiguous() for name, tensor in assorted().items()}
    save_file(tensors, tmp_path / "x.safetensors", {"a": "b"})
    read = read_tensors(tmp_path / "x.safetensors")
    assert read.keys() == tensors.keys()
    assert all(same_bits(read[name], tensors[name]) for name in tensors)
    assert read_header(tmp_path / "x.safetensors").metadata == {"a": "b"}


def test_complex_numbers_make_the_round_trip(tmp_path: Path) -> None:
    tensors = {"x": torch.randn(3, dtype=torch.complex64)}
    write_tensors(tmp_path / "x", tensors, {})
    assert torch.equal(read_tensors(tmp_path / "x")["x"], tensors["x"])


def test_every_tensor_begins_at_a_multiple_of_its_element_size(tmp_path: Path) -> None:
    tensors = {"a": torch.zeros(3, dtype=torch.uint8), "b": torch.zeros(1, dtype=torch.float64), "c": torch.zeros(1)}
    write_tensors(tmp_path / "x", tensors, {})
    entries = read_header(tmp_path / "x").tensors
    assert all(entries[name].start % tensors[name].element_size() == 0 for name in tensors)


def test_bytes_in_memory_are_those_of_the_file(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x", assorted() | {"trained": torch.ones(2), "turned": torch.ones(1)}, {"a": "b"})
    written = tensor_bytes(assorted() | {"trained": torch.ones(2), "turned": torch.ones(1)}, {"a": "b"})
    assert (tmp_path / "x").read_bytes() == written


def test_tensors_read_own_their_memory(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x", {"x": torch.ones(4)}, {})
    read = read_tensors(tmp_path / "x")["x"]
    (tmp_path / "x").write_bytes(b"")
    assert torch.equal(read.add_(1), torch.full((4,), 2.0))


def test_only_the_named_tensors_are_read(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x", {"a": torch.ones(1), "b": torch.ones(2)}, {})
    assert list(read_tensors(tmp_path / "x", ["b"])) == ["b"]
    with pytest.raises(KeyError):
        read_tensors(tmp_path / "x", ["c"])


def test_long_tensors_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.tensors.LONGEST_READ", 10)
    tensor = torch.randn(101)
    write_tensors(tmp_path / "x", {"x": tensor}, {})
    assert torch.equal(read_tensors(tmp_path / "x")["x"], tensor)


def test_a_file_that_shrinks_while_it_is_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_tensors(path, {"a": torch.ones(100), "b": torch.ones(100)}, {})
    reading = iterate_tensors(path)
    next(reading)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError) as caught:
        next(reading)
    assert caught.value.code == "weights.cut-short"


@pytest.mark.parametrize("cut", [1, 400, 795])
def test_a_file_cut_short_is_named_with_both_sizes(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x"
    write_tensors(path, {"x": torch.ones(200)}, {})
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with pytest.raises(UserError) as caught:
        read_header(path)
    assert caught.value.code == "weights.cut-short"
    assert f"{len(whole) - cut:,}" in str(caught.value) and f"{len(whole):,}" in str(caught.value)


def test_a_file_cut_within_its_header_is_cut_short(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(build_header([("x", "F32", (200,))], {})[:-20])
    with pytest.raises(UserError) as caught:
        read_header(tmp_path / "x")
    assert caught.value.code == "weights.cut-short"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "weights.empty"),
        (b"short", "weights.header"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "weights.header"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4265380512\n", "weights.header"),
        ((2).to_bytes(8, "little") + b"[]", "weights.header"),
        ((60_000).to_bytes(8, "little") + b"[" * 60_000, "weights.header"),
        (build_header([("x", "U8", (4,))], {}) + b"12345", "weights.header"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_header(tmp_path / "x")
    assert caught.value.code == code


def entry(dtype: object = "U8", shape: object = (4,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "described",
    [
        {"x": entry(dtype="F3")},
        {"x": entry(dtype=["U8"])},
        {"x": entry(shape=[5])},
        {"x": entry(shape=[-4], offsets=[4, 0])},
        {"x": entry(shape=[True, 4])},
        {"x": entry(shape=[2**62] * 33)},
        {"x": entry(offsets=[0, 4, 4])},
        {"x": entry(offsets=[1, 5])},
        {"x": entry(shape=[2], offsets=[0, 2]), "y": entry(shape=[3], offsets=[1, 4])},
        {"x": entry(shape=[1], offsets=[0, 1]), "y": entry(shape=[1], offsets=[3, 4])},
        {"x": {"dtype": "U8"}},
        {"x": 4},
        {"__metadata__": {"a": 1}, "x": entry()},
    ],
)
def test_headers_that_do_not_fit_are_refused(tmp_path: Path, described: object) -> None:
    text = json.dumps(described).encode()
    (tmp_path / "x").write_bytes(len(text).to_bytes(8, "little") + text + b"1234")
    with pytest.raises(UserError) as caught:
        read_header(tmp_path / "x")
    assert caught.value.code == "weights.header"


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = b'{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}'
    (tmp_path / "x").write_bytes(len(text).to_bytes(8, "little") + text + b"1234")
    with pytest.raises(UserError):
        read_header(tmp_path / "x")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(UserError):
            read_header(path)
        with pytest.raises(UserError):
            read_tensors(path)


WHOLE = tensor_bytes({"a": torch.ones(4), "b": torch.ones(2, 2, dtype=torch.bfloat16)}, {"step": "7"})


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_is_a_user_error_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        header = read_header(path)
        tensors = read_tensors(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert isinstance(header, Header)
        assert tensors.keys() == header.tensors.keys()


def test_the_header_is_read_without_torch() -> None:
    program = "import core.safetensors_header, sys; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
