"""What the program remembers of a person from one time to the next: `$XDG_CONFIG_HOME/dbtui/settings.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def settings_path() -> Path:
    """The one small file; it need not exist."""
    from platformdirs import user_config_path

    return user_config_path("dbtui") / "settings.toml"


def remembered(name: str) -> Any:
    """The setting called `name`, `None` where there is none. A file that cannot be read counts as none."""
    return _read(settings_path()).get(name)


def remember(**settings: Any) -> None:
    """Keep `settings` beside those that are kept already. Raises `OSError` where the file cannot be written."""
    import tomlkit

    from core.files import write_atomic

    path = settings_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, tomlkit.dumps(_read(path) | settings))


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
