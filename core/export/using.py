"""How an exported model gets to where it is used: copying it from a remote machine, and what other programs want."""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.choices.formats import EXPORT_FORMATS, format_of
from core.config.options import RunConfig
from core.config.prompts import sample_prompt
from core.texts import Message, message, say

SSH_PORT = "22"


@dataclass(frozen=True)
class Use:
    """One program: its name, where the file goes, what to do then."""

    program: str
    place: Message
    then: Message


def exported_files(folder: Path) -> list[Path]:
    """The models in a run's folder of exports, the newest first; nothing that is still being written, nor what lies
    beside one to help to load it.
    """
    suffixes = {known.suffix for known in EXPORT_FORMATS.values() if known.suffix}
    try:
        found = [path for path in folder.iterdir()
                 if not path.name.startswith(".") and (path.suffix in suffixes or path.is_dir())]  # fmt: skip
        return sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True)
    except OSError:
        return []


def scp_line(path: Path, environment: Mapping[str, str]) -> str:
    """What to type on one's own computer to fetch `path`; empty where this is no SSH session."""
    parts = environment.get("SSH_CONNECTION", "").split()
    if len(parts) != 4:
        return ""
    _, _, host, port = parts
    host = f"[{host}]" if ":" in host else host
    try:
        user = environment.get("USER") or environment.get("LOGNAME") or getpass.getuser()
    except (KeyError, OSError):
        return ""
    options = (["-r"] if path.is_dir() else []) + (["-P", port] if port != SSH_PORT else [])
    return shlex.join(["scp", *options, f"{user}@{host}:{path}", "."])


def uses(path: Path, config: RunConfig) -> list[Use]:
    """The programs that read the export at `path`, best known first."""
    known = format_of(path.name, config.method, is_folder=path.is_dir())
    prompt = _prompt(config)
    if known == "diffusers":
        return [Use("diffusers", message("use.diffusers.place", "anywhere"),
                    message("use.diffusers.then", "DiffusionPipeline.from_pretrained(\"{path}\"), prompt: {prompt}",
                            path=path, prompt=prompt))]  # fmt: skip
    if known == "lora-diffusers":
        return [Use("diffusers", message("use.diffusers.place", "anywhere"),
                    message("use.diffusers-lora.then", "pipeline.load_lora_weights(\"{path}\"), prompt: {prompt}",
                            path=path, prompt=prompt))]  # fmt: skip
    if EXPORT_FORMATS[known].is_adapter:
        typed = message("use.lora.then", "with the model it was trained on; type: <lora:{name}:1> {prompt}",
                        name=path.stem, prompt=prompt)  # fmt: skip
        return [
            Use("A1111", message("use.lora.a1111", "stable-diffusion-webui/models/Lora"), typed),
            Use("Forge", message("use.lora.forge", "stable-diffusion-webui-forge/models/Lora"), typed),
            Use("ComfyUI", message("use.lora.comfyui", "ComfyUI/models/loras"),
                message("use.lora.comfyui.then", "node Load LoRA behind Load Checkpoint; type: {prompt}",
                        prompt=prompt)),
        ]  # fmt: skip
    typed = message("use.model.then", "choose it under Checkpoint (the arrows beside it read the folder anew); type: "
                    "{prompt}", prompt=prompt)  # fmt: skip
    return [
        Use("A1111", message("use.model.a1111", "stable-diffusion-webui/models/Stable-diffusion"), typed),
        Use("Forge", message("use.model.forge", "stable-diffusion-webui-forge/models/Stable-diffusion"), typed),
        Use("ComfyUI", message("use.model.comfyui", "ComfyUI/models/checkpoints"),
            message("use.model.comfyui.then", "node Load Checkpoint (R reads the folder anew); type: {prompt}",
                    prompt=prompt)),
    ]  # fmt: skip


def _prompt(config: RunConfig) -> str:
    """What draws each subject: the words that its previews were drawn with."""
    return say("use.or", " or ").join(dict.fromkeys(sample_prompt(concept) for concept in config.concepts))
