"""What the program remembers of a person from one time to the next: `$XDG_CONFIG_HOME/dbtui/settings.toml`.

People write into it too: what they wrote stays as it is, comments included.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.reasons import of_system, of_toml
from core.texts import UserError, say


def settings_path() -> Path:
    """The one small file; it need not exist."""
    from platformdirs import user_config_path

    return user_config_path("dbtui") / "settings.toml"


def remembered(name: str) -> Any:
    """The setting called `name`, `None` where there is none. A file that cannot be read counts as none."""
    try:
        return read_settings().get(name)
    except UserError:
        return None


def read_settings() -> dict[str, Any]:
    """All settings, none where there is no file. Raises `UserError` where it cannot be read."""
    import tomllib

    path = settings_path()
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(path, of_toml(error)) from error


def remember(**settings: str) -> None:
    """Keep `settings` beside all that stands there already. Raises `UserError` where the file cannot be read (it is
    left as it is) or written.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    from core.files import explain, write_atomic

    path = settings_path()
    try:
        document = tomlkit.parse(_text(path))
    except TOMLKitError as error:
        raise _unreadable(path, of_toml(error)) from error
    new = {name: value for name, value in settings.items() if name not in document}
    document.update({name: value for name, value in settings.items() if name in document})
    text = tomlkit.dumps(document)
    if new:  # before the first table and the comment above it
        text = tomlkit.dumps(new) + ("\n" if text.startswith(("#", "[")) else "") + text
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        raise explain(error, path) from error


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")  # editors on Windows begin a file with a byte order mark
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _unreadable(path, say("reason.line", "line {line} is not text in UTF-8", line=line)) from error
    except OSError as error:
        raise _unreadable(path, of_system(error)) from error


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError("settings.unreadable", "The settings in {path} cannot be read: {reason}.",
                     mend="Mend the file, or move it away.", path=path, reason=reason.rstrip("."))  # fmt: skip
