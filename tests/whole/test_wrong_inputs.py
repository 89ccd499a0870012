"""What people get wrong, through the real commands: one clear paragraph, the right exit code, nothing made or run."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import sys
import unicodedata
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image

from core import files
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.runfile import to_toml
from core.runs.folder import Run
from core.runs.lock import RunLock
from dbtui.__main__ import main

Said = pytest.CaptureFixture[str]
Spoil = Callable[[Path], None]
"""Puts something wrong into a folder in which `run.toml`, `pictures/` and `model` (the source) are looked for."""

UNET = "model.diffusion_model."


class Payload:
    """Touches the file `executed` where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch executed",)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: `run.toml`, three sound pictures, no source yet, and a home that is not made yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "2000")
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        Image.effect_noise((64, 64), 50 + number).save(tmp_path / "pictures" / f"{number}.png")
    (tmp_path / "run.toml").write_text(to_toml(a_run()))
    return tmp_path


def a_run() -> RunConfig:
    return with_changes(RunConfig(), {
        "model.name": "clock", "model.source": "model", "concepts.0.instance.directory": "pictures",
        "concepts.0.instance.identifier": "ohwx", "concepts.0.instance.class_noun": "clock",
        "concepts.0.instance.prompt": "a {identifier} {class} [filewords]",
    })  # fmt: skip


def content(what: bytes) -> Spoil:
    return lambda folder: (folder / "model").write_bytes(what) and None


def weights(shapes: Mapping[str, tuple[int, ...]], cut: int = 0) -> Spoil:
    """A `.safetensors` file of zeros, the last `cut` bytes missing."""

    def spoil(folder: Path) -> None:
        header, end = {}, 0
        for name, shape in shapes.items():
            size = 2 * int(torch.Size(shape).numel())
            header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
            end += size
        text = json.dumps(header).encode()
        with (folder / "model").open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + end - cut)

    return spoil


def pickled(make: Callable[[], object]) -> Spoil:
    return lambda folder: torch.save(make(), folder / "model")


def holding_itself() -> object:
    table: dict[str, object] = {"weight": torch.zeros(2)}
    table["state_dict"] = table
    return table


def a_folder(**files: object) -> Spoil:
    """A diffusers folder with nothing but these configs: `unet__config` is `unet/config.json`."""

    def spoil(folder: Path) -> None:
        index = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
                 "vae": ["diffusers", "AutoencoderKL"], "text_encoder": ["transformers", "CLIPTextModel"],
                 "tokenizer": ["transformers", "CLIPTokenizer"],
                 "scheduler": ["diffusers", "DDIMScheduler"]}  # fmt: skip
        for name, value in {"model_index": index, **files}.items():
            path = folder / "model" / f"{name.replace('__', '/')}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(index | value if name == "model_index" else value))
        for module in ("evil.py", "unet/evil.py"):
            path = folder / "model" / module
            path.parent.mkdir(exist_ok=True)
            path.write_text("open('executed', 'w')")

    return spoil


def nothing(folder: Path) -> None:
    """The source that is missing."""


SD1 = {UNET + "input_blocks.0.0.weight": (320, 4, 3, 3)}
ATTENTION = UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"

SOURCES: dict[str, tuple[Spoil, str]] = {
    "missing": (nothing, "The source model model cannot be found"),
    "empty": (content(b""), "is empty (0 bytes)"),
    "web page": (content(b"<!DOCTYPE html><html>Log in</html>"), "is a web page"),
    "picture": (content(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(100)), "is a picture or a document, not a model"),
    "lfs pointer": (content(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4265146304\n"),
                    "is a Git LFS pointer"),
    "cut short": (weights(SD1, cut=100), "is cut short"),
    "lora": (weights({"lora_unet_mid_block.lora_down.weight": (4, 320)}), "is a LoRA"),
    "sdxl": (weights(SD1 | {UNET + "label_emb.0.0.weight": (1280, 2816),
                            "conditioner.embedders.1.model.ln_final.weight": (1280,)}), "a Stable Diffusion XL model"),
    "sd2": (weights(SD1 | {ATTENTION: (320, 1024), "cond_stage_model.model.ln_final.weight": (1024,)}),
            "may be Stable Diffusion 2"),
    "inpainting": (weights({UNET + "input_blocks.0.0.weight": (320, 9, 3, 3), ATTENTION: (320, 768)}),
                   "an inpainting model"),
    "pickle that runs code": (pickled(lambda: {"state_dict": {"x": Payload()}}), "holds more than tensors"),
    "pickle that holds itself": (pickled(holding_itself), "it holds no table of tensors"),
    "foreign module": (a_folder(model_index={"unet": ["evil", "UNet2DConditionModel"]}), "Nothing of it was imported"),
    "code of its own": (a_folder(unet__config={"auto_map": {"AutoModel": "evil.Model"}}),
                        "asks to run program code of its own"),
    "missing component": (a_folder(), "has no unet/config.json"),
}  # fmt: skip


def cut_jpeg(folder: Path) -> None:
    path = folder / "pictures" / "cut.jpg"
    Image.effect_noise((200, 200), 90).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def huge_png(folder: Path) -> None:
    """13,000 × 13,000 px of one bit in some 20 kB."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 13_000 // 8)) for _ in range(13_000)) + packer.flush()
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 13_000, 13_000, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b""))
    text = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    (folder / "pictures" / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + text)


def picture(name: str, what: bytes) -> Spoil:
    return lambda folder: (folder / "pictures" / name).write_bytes(what) and None


def no_pictures(folder: Path) -> None:
    for path in (folder / "pictures").iterdir():
        path.unlink()


PICTURES: dict[str, tuple[Spoil, str]] = {
    "cut jpeg": (cut_jpeg, "cut.jpg is cut short"),
    "13,000 px": (huge_png, "is too large (13,000 × 13,000 px)"),
    "eps named jpg": (picture("x.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n(touch executed) system\n"), "is a PostScript file"),
    "text named png": (picture("x.png", b"hello"), "x.png is not a picture"),
    "hostile name": (picture("\x1b]52;c;Zm9v\x07\u202e[@click=app.quit].png", b"x"),
                     r"\x1b]52;c;Zm9v\x07\u202e[@click=app.quit].png is not a picture"),
    "none": (no_pictures, "There are no pictures in "),
    "no folder": (lambda folder: shutil.rmtree(folder / "pictures"), "does not exist"),
    "caption not utf-8": (picture("0.txt", b"caf\xe9"), "0.txt is not in UTF-8 (its byte 4 is 0xe9)"),
}  # fmt: skip

OPTIONS: dict[str, tuple[str, str, str]] = {
    "unknown key": ("epochs =", "epoches =", "There is no option intervals.epoches. Did you mean intervals.epochs?"),
    "twice": ("epochs =", "epochs = 1\nepochs =", "run.toml says epochs twice. Keep the one"),
    "wrong type": ("repeats = 1", 'repeats = "x"', "Repeats must be a whole number from 1 to 1,000, not 'x'"),
    "not a number": ('\nrate = "auto"', "\nrate = nan", "up to 1, not nan"),
    "negative rate": ('\nrate = "auto"', "\nrate = -1e-6", "Learning rate must be auto, or a number above 0"),
    "endless": ("epochs = 100", "epochs = 1000000000", "Epochs must be a whole number from 1 to 1,000,000"),
    "huge batch": ("size = 1\n", "size = 100000\n", "Class batch size must be a whole number from 1 to 256"),
    "off the grid": ('resolution = "auto"', "resolution = 63", "A resolution of 63 px does not fit this model"),
    "name outside": ('name = "clock"', 'name = "../clock"', "Run name must be letters, digits"),
    "name with NUL": ('name = "clock"', 'name = "a\\u0000b"', "Run name must be letters, digits"),
}

COMMANDS: dict[str, tuple[list[str], str]] = {
    "train nothing": (["train", "nothing", "--resume"], "There is no run nothing"),
    "train outside": (["train", "../clock"], "../clock cannot be read: No such file or directory"),
    "train no file": (["train", "nothing.toml"], "nothing.toml cannot be read"),
    "attach to nothing": (["attach"], "There are no runs"),
    "generate with nothing": (["generate", "/nothing", "--prompt", "x", "-o", "out"], "/nothing is neither a run"),
    "new without folder": (["new", "x", "--preset", "object", "--source", "s", "--instance", "i", "-o", "no/run.toml"],
                           "no/run.toml is missing, or a part of its path is no folder"),
    "unknown command": (["tarin"], "No such command 'tarin'. Did you mean 'train'? `dbtui --help`"),
    "a table as option": (["train", "run.toml", "--set", "batch=2"], "There is no option batch. `dbtui options`"),
    "no such concept": (["train", "run.toml", "--set", "concepts.7.name=x"], "There is no concept 7"),
    "home is a file": (["train", "run.toml", "--home", "run.toml"], "run.toml should be a folder, but a file stands"),
}  # fmt: skip

OF_A_RUN: dict[str, tuple[list[str], str]] = {
    "name in use": (["train", "run.toml"], "There is a run clock in"),
    "pause": (["pause", "clock"], "Nobody trains clock now"),
    "stop": (["stop", "clock"], "Nobody trains clock now"),
    "export": (["export", "clock"], "Nothing of this run is saved yet"),
}


def refused(arguments: list[str], said: Said, *fragments: str) -> str:
    """What the program says, which must be refused with exit code 2, without control characters or a fault."""
    code = main(arguments)
    out, err = said.readouterr()
    text = out + err
    assert code == 2, text
    for fragment in fragments:
        assert fragment in text
    assert not {unicodedata.category(character) for character in text if character != "\n"} & {"Cc", "Cf"}
    assert "Traceback" not in text and "fault of dbtui" not in text
    assert not Path("executed").exists()
    return text


@pytest.mark.parametrize(("spoil", "fragment"), SOURCES.values(), ids=SOURCES)
def test_a_wrong_source_is_named_and_nothing_made(folder: Path, capfd: Said, spoil: Spoil, fragment: str) -> None:
    spoil(folder)
    refused(["train", "run.toml", "--set", "model.family=sd1"], capfd, fragment)
    assert not (folder / "home").exists()


@pytest.mark.parametrize(("spoil", "fragment"), PICTURES.values(), ids=PICTURES)
def test_a_wrong_picture_is_named_and_nothing_made(folder: Path, capfd: Said, spoil: Spoil, fragment: str) -> None:
    spoil(folder)
    refused(["train", "run.toml"], capfd, fragment)
    assert not (folder / "home").exists()


@pytest.mark.parametrize(("right", "wrong", "fragment"), OPTIONS.values(), ids=OPTIONS)
def test_a_wrong_option_is_named_and_nothing_made(
    folder: Path, capfd: Said, right: str, wrong: str, fragment: str
) -> None:
    path = folder / "run.toml"
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong))
    refused(["train", "run.toml"], capfd, fragment)
    assert not (folder / "home").exists()


@pytest.mark.parametrize(("arguments", "fragment"), COMMANDS.values(), ids=COMMANDS)
def test_a_wrong_command_is_refused_and_nothing_made(
    folder: Path, capfd: Said, arguments: list[str], fragment: str
) -> None:
    before = sorted(folder.rglob("*"))
    refused(arguments, capfd, fragment)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(("arguments", "fragment"), OF_A_RUN.values(), ids=OF_A_RUN)
def test_a_run_refuses_what_it_cannot_do_and_stays_as_it_was(
    folder: Path, capfd: Said, arguments: list[str], fragment: str
) -> None:
    run = Run.create(folder / "home", a_run(), "0")
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    refused(arguments, capfd, fragment)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_a_run_in_training_is_not_deleted(folder: Path, capfd: Said) -> None:
    run = Run.create(folder / "home", a_run(), "0")
    with RunLock(run.lock_path):
        refused(["delete", "clock", "--yes"], capfd, "clock is in training by process", str(os.getpid()))
    assert run.config_path.exists()


def test_one_strange_run_does_not_hide_the_others(folder: Path, capfd: Said) -> None:
    Run.create(folder / "home", a_run(), "0")
    strange = Run.create(folder / "home", with_changes(a_run(), {"model.name": "strange"}), "0")
    strange.lock_path.symlink_to("/etc/passwd")
    assert main(["runs"]) == 0
    out, err = capfd.readouterr()
    assert "clock" in out and "strange/lock" in err


@pytest.mark.parametrize(
    ("number", "fragment"), [(errno.ENOSPC, "There is no room left"), (errno.EROFS, "cannot be written to")]
)
def test_a_home_that_takes_nothing_is_refused_before_the_start(
    folder: Path, capfd: Said, monkeypatch: pytest.MonkeyPatch, number: int, fragment: str
) -> None:
    def fail(path: Path, data: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(files, "write_atomic", fail)
    text = refused(["train", "run.toml"], capfd, fragment)
    assert ".staging" not in text
    assert not (folder / "home").exists()


def test_a_byte_order_mark_is_no_mistake(folder: Path, capfd: Said) -> None:
    path = folder / "run.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert "TOML" not in refused(["check", "run.toml"], capfd, "The source model")


def test_a_terminal_of_no_width_is_told_all_the_same(
    folder: Path, capfd: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    refused(["check", "run.toml"], capfd, "The source model")


@pytest.mark.parametrize(("arguments", "code", "fragment"), [
    ("<&-", 2, "there is no terminal here"), ("runs >&-", 0, ""), ("delete clock <&-", 2, "There is nobody to ask"),
])  # fmt: skip
def test_closed_streams_are_no_fault(folder: Path, arguments: str, code: int, fragment: str) -> None:
    Run.create(folder / "home", a_run(), "0")
    command = f"{sys.executable} -P -m dbtui {arguments}"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, env=environment, timeout=60)
    assert (ended.returncode, "fault of dbtui" in ended.stderr) == (code, False), ended.stderr
    assert fragment in ended.stderr
    assert Run(folder / "home", "clock").config_path.exists()
