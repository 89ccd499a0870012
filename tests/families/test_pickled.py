"""A `.ckpt` is read without running anything in it."""

from __future__ import annotations

import os
import pickle
import sys
import types
import zipfile
from pathlib import Path

import pytest
import torch

from core.families import pickled
from core.families.describe import describe
from core.families.weights import iterate_component
from core.texts import UserError


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


def test_shapes_are_read_without_the_tensors(tmp_path: Path):
    whole = torch.arange(12.0).reshape(3, 4)
    torch.save({"state_dict": {"a": whole, "b": whole[1:, ::2].half(), "c": torch.nn.Parameter(whole)}}, tmp_path / "x")
    found = pickled.read_tensors(tmp_path / "x")
    assert {name: tensor.shape for name, tensor in found.items()} == {"a": (3, 4), "b": (2, 2), "c": (3, 4)}
    assert found["b"].element_bytes == 2


def test_a_program_in_a_pickle_is_named_and_not_run(tmp_path: Path):
    touched = tmp_path / "touched"
    torch.save({"state_dict": {"a": torch.zeros(1)}, "callback": Evil(touched)}, tmp_path / "evil.ckpt")
    with pytest.raises(UserError, match=r"posix\.system") as raised:
        describe(str(tmp_path / "evil.ckpt"))
    assert raised.value.code == "source.pickle-forbidden"
    assert not touched.exists()


@pytest.mark.parametrize("name", ["builtins.eval", "torch.hub.load", "os.system", "torch._utils.os.system"])
def test_no_name_outside_the_list_is_looked_up(tmp_path: Path, name: str):
    module, _, attribute = name.rpartition(".")
    program = b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b"X\x01\x00\x00\x00a\x85R."
    with zipfile.ZipFile(tmp_path / "evil.ckpt", "w") as archive:
        archive.writestr("evil/data.pkl", program)
    with pytest.raises(UserError, match="Nothing was run"):
        pickled.read_tensors(tmp_path / "evil.ckpt")


def test_a_state_dict_that_contains_itself_ends(tmp_path: Path):
    loop: dict = {"a": torch.zeros(1)}
    loop["state_dict"] = loop
    torch.save(loop, tmp_path / "loop.ckpt")
    with pytest.raises(UserError) as raised:
        describe(str(tmp_path / "loop.ckpt"))
    assert raised.value.code == "source.damaged"


def test_a_huge_memo_index_takes_no_memory(tmp_path: Path):
    program = b"\x80\x02}r\xff\xff\xff\x7f."
    with zipfile.ZipFile(tmp_path / "memo.ckpt", "w") as archive:
        archive.writestr("memo/data.pkl", program)
    with pytest.raises(UserError, match="no named tensors"):
        pickled.read_tensors(tmp_path / "memo.ckpt")


def test_a_tensor_that_reaches_beyond_its_bytes_is_refused(tmp_path: Path):
    torch.save({"a": torch.zeros(4)}, tmp_path / "good.ckpt")
    with zipfile.ZipFile(tmp_path / "good.ckpt") as good, zipfile.ZipFile(tmp_path / "bad.ckpt", "w") as bad:
        for entry in good.infolist():
            content = good.read(entry)
            bad.writestr(entry.filename, content[:8] if "/data/" in entry.filename else content)
    with pytest.raises(UserError, match="description of the tensors"):
        pickled.read_tensors(tmp_path / "bad.ckpt")


def test_a_file_cut_short_says_its_size(tmp_path: Path):
    torch.save({"a": torch.zeros(1000)}, tmp_path / "x.ckpt")
    content = (tmp_path / "x.ckpt").read_bytes()
    (tmp_path / "x.ckpt").write_bytes(content[:2000])
    with pytest.raises(UserError, match="2,000 bytes"):
        describe(str(tmp_path / "x.ckpt"))


@pytest.mark.parametrize("protocol", [2, 4])
def test_the_format_before_torch_1_6_is_refused_with_a_way_out(tmp_path: Path, protocol: int):
    (tmp_path / "old.ckpt").write_bytes(pickle.dumps({"state_dict": {}}, protocol=protocol))
    with pytest.raises(UserError, match=r"torch 1\.6") as raised:
        describe(str(tmp_path / "old.ckpt"))
    assert raised.value.code == "source.pickle-legacy"


def test_an_ordinary_zip_file_is_no_model(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.ckpt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(UserError, match="not one that torch wrote"):
        describe(str(tmp_path / "x.ckpt"))


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch):
    """A stand-in for the package, so that a classic checkpoint can be written; it is gone when it is read."""
    names = ["pytorch_lightning", "pytorch_lightning.callbacks", "pytorch_lightning.callbacks.model_checkpoint"]
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    callback = type("ModelCheckpoint", (), {"__module__": names[-1]})
    sys.modules[names[-1]].ModelCheckpoint = callback  # type: ignore[attr-defined]
    return callback


def test_the_callbacks_of_classic_checkpoints_are_passed_over(tmp_path: Path, lightning, monkeypatch):
    import numpy

    classic = {
        "epoch": 3,
        "callbacks": {lightning: {"best": lightning(), "score": numpy.float64(0.5)}},
        "state_dict": {"first_stage_model.a": torch.arange(3.0)},
    }
    torch.save(classic, tmp_path / "classic.ckpt")
    for name in [name for name in sys.modules if name.startswith("pytorch_lightning")]:
        monkeypatch.delitem(sys.modules, name)
    found = pickled.read_tensors(tmp_path / "classic.ckpt")
    assert found["first_stage_model.a"].shape == (3,)

    from core.families.stored import read_weight_file

    stored = {"a": read_weight_file(tmp_path / "classic.ckpt").tensors["first_stage_model.a"]}
    assert dict(iterate_component("unet", stored))["a"].tolist() == [0, 1, 2]
