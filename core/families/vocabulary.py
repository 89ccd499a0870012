"""CLIP's own words: how many tokens a caption has and which of its words the model will never see.

Built with the `tokenizers` library from the vocabulary that ships with the package (the BPE file of OpenAI's CLIP,
as open_clip distributes it), so that the wizard counts tokens without torch and transformers. The ids are those of
transformers' `CLIPTokenizer`.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from itertools import islice
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

BPE_FILE = Path(__file__).with_name("clip") / "bpe_simple_vocab_16e6.txt.gz"
MERGES = 49152 - 256 - 2
"""CLIP uses the first 48,894 merges of the file: 2 × 256 bytes + merges + 2 special tokens = 49,408 ids."""

START = "<|startoftext|>"
END = "<|endoftext|>"
USABLE_TOKENS = 75
"""77 places, of which the start and the end token take two."""

_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@lru_cache(maxsize=1)
def merges() -> tuple[tuple[str, str], ...]:
    """The pairs that CLIP joins, in order of rank."""
    with gzip.open(BPE_FILE, "rt", encoding="utf-8") as lines:
        pairs = (line.split() for line in islice(lines, 1, MERGES + 1))
        return tuple((first, second) for first, second in pairs)


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, int]:
    """Token → id, 49,408 of them, the two special tokens last."""
    letters = _byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *(a + b for a, b in merges()), START, END]
    return {token: number for number, token in enumerate(tokens)}


def clip_tokens(text: str) -> list[str]:
    """The tokens of a text without start and end, all of them: `["photo</w>", "of</w>", …]`."""
    tokens: list[str] = _tokenizer().encode(text).tokens
    return tokens


def pieces(text: str) -> list[str]:
    """What the tokens stand for, as it is written in the text: `["phot", "ovis"]`. A character of several tokens (CLIP
    knows those of most scripts by their bytes alone) is there once.
    """
    return [text[start:end] for start, end in dict.fromkeys(_tokenizer().encode(text).offsets)]


def clip_ids(text: str) -> list[int]:
    """The ids of a text without start and end, not cut at 75."""
    ids: list[int] = _tokenizer().encode(text).ids
    return ids


def count_tokens(text: str) -> int:
    """How many of the 75 usable places a text takes (more than 75: the rest is lost)."""
    return len(clip_ids(text))


def lost_words(caption: str) -> list[str]:
    """The words that lie, wholly or in part, beyond the 75th token and never reach the model."""
    offsets = _tokenizer().encode(caption).offsets
    if len(offsets) <= USABLE_TOKENS:
        return []
    start = offsets[USABLE_TOKENS][0]
    while start > 0 and not caption[start - 1].isspace():
        start -= 1
    return caption[start:].split()


@lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(
        BPE(
            vocab=vocabulary(),
            merges=list(merges()),
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            unk_token=END,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(START, special=True), AddedToken(END, special=True)])
    return tokenizer


def _byte_letters() -> list[str]:
    """A printable letter for each byte, in the order in which CLIP numbers them (GPT-2's `bytes_to_unicode`)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + number) for number in range(len(others))]
