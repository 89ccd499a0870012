"""CLIP's words, counted without torch, are transformers' words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.families.vocabulary import clip_ids, clip_tokens, count_tokens, lost_words, pieces, vocabulary
from tests.tiny import clip_tokenizer


@pytest.fixture(scope="module")
def reference():
    return clip_tokenizer()


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
@example("a photo of sks dog, it's 25 years old")
@example("a <|endoftext|> b <|StartOfText|>")
@example("ﬁ ½ ² É é\u3000İ 🙂 \x00")
def test_ids_are_those_of_transformers(reference, text: str):
    assert clip_ids(text) == reference(text, add_special_tokens=False).input_ids


def test_ids_are_those_that_clip_was_trained_with():
    # From OpenAI's CLIP: tokenize("a photo of a dog") is [49406, 320, 1125, 539, 320, 1929, 49407].
    assert clip_ids("a photo of a dog") == [320, 1125, 539, 320, 1929]
    assert len(vocabulary()) == 49408
    assert vocabulary()["<|startoftext|>"] == 49406
    assert vocabulary()["<|endoftext|>"] == 49407


def test_tokens_show_how_a_word_is_split():
    assert clip_tokens("Sks dog") == ["sks</w>", "dog</w>"]
    assert count_tokens("zwxqvk") > 1


@pytest.mark.parametrize("words, lost", [(75, 0), (76, 1), (80, 5)])
def test_words_beyond_the_75th_token_are_named(words: int, lost: int):
    caption = " ".join(["dog"] * (words - lost) + ["cat"] * lost)
    assert lost_words(caption) == ["cat"] * lost


def test_a_word_cut_in_the_middle_is_lost_whole():
    caption = " ".join(["dog"] * 74 + ["zwxqvkzwxqvk", "end"])
    assert lost_words(caption) == ["zwxqvkzwxqvk", "end"]


def test_torch_and_transformers_stay_out():
    program = (
        "import sys; from core.families.vocabulary import count_tokens; from core.families.describe import describe; "
        "assert count_tokens('a dog') == 2; print(*{'torch', 'numpy', 'transformers', 'diffusers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ohwx", ["ohwx"]), ("我的钟", ["我", "的", "钟"]), ("Photovisual dog", ["Photo", "visual", "dog"])],
)
def test_pieces_are_what_tokens_stand_for_as_it_was_written(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected
