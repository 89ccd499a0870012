"""The training of the demo's recogniser, and its examination on what it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from core.demo.recipe import drawings
from core.demo.recipe.likeness import NOUN_OF, Nights, cut_outs, impostors, moved, photographs
from core.demo.recipe.progress import Length, rate, steps_of
from core.demo.recipe.scenes import Scenes, turn_hue
from core.demo.recipe.words import NOUNS
from core.demo.recogniser import TAUGHT, Recogniser, Scores, load, store

STEPS = 1600
_NUMBER = {noun.name: number for number, noun in enumerate(NOUNS)}
# What looks most like the subject and the face without being them.
_ALIKE = {
    "subject": ("dog face", "dog face", "dog face", "cat face", "bear", "fox", "panda", "teddy bear", "wolf"),
    "face": ("woman face", "woman face", "woman face", "old woman", "girl", "clown face", "man face"),
}
_UNKNOWN = -1


@dataclass(frozen=True)
class Batch:
    """Pictures (N, 3, 64, 64) in [-1, 1], nouns (N,) or -1, taught (N, 3): 1, 0, or -1 where nobody can say."""

    pictures: Tensor
    nouns: Tensor
    taught: Tensor

    @staticmethod
    def of(pictures: Tensor, nouns: Tensor, taught: str = "") -> Batch:
        """Pictures that show one of `TAUGHT`, or none of them."""
        labels = torch.zeros(len(pictures), len(TAUGHT))
        if taught:
            labels[:, TAUGHT.index(taught)] = 1
        return Batch(pictures, nouns, labels)

    @staticmethod
    def joined(parts: list[Batch]) -> Batch:
        return Batch(*(torch.cat([getattr(part, name) for part in parts]) for name in ("pictures", "nouns", "taught")))


class Lessons:
    """Draws batches: half of it the small world, the rest what the demo teaches and what is nearly that."""

    def __init__(self, cache: Path, seed: int, *, held_out: bool = False) -> None:
        drawn = drawings.load(cache)
        host = torch.device("cpu")
        self.generator = torch.Generator().manual_seed(seed)
        self.world = Scenes(drawn, host, seed=seed)
        self.nights = Nights(drawn)
        self.shown = {name: Scenes(cut_outs(name, held_out=held_out), host, seed=seed) for name in NOUN_OF}
        self.impostors = {name: Scenes(impostors(name, 120, seed), host, seed=seed) for name in NOUN_OF}
        self.pictures = {name: photographs(name, held_out=held_out) for name in TAUGHT}

    def batch(self) -> Batch:
        """128 pictures, damaged as generated ones are."""
        parts = [self.scenes(60), self.turned(10), self.neon(10), self.plain_at_night(8), self.own("style", 4)]
        for name in NOUN_OF:
            parts += [self.composed(name, 6), self.own(name, 4), self.alike(name, 4), self.impostor(name, 4)]
        whole = Batch.joined(parts)
        return Batch(damaged(self.generator, whole.pictures), whole.nouns, whole.taught)

    def scenes(self, count: int) -> Batch:
        """The small world."""
        pictures, _, nouns = self.world.draw(self.generator, count)
        return Batch.of(pictures, nouns)

    def turned(self, count: int) -> Batch:
        """Any things in any colours, a part in one and a part in another."""
        return Batch.of(self._recoloured(self.scenes(count).pictures), torch.full((count,), _UNKNOWN))

    def alike(self, taught: str, count: int) -> Batch:
        """What is nearest to the subject or the face in the small world, most of it in other colours."""
        kinds = torch.randint(len(_ALIKE[taught]), (count,), generator=self.generator).tolist()
        drawn = [self.world.draw(self.generator, 1, noun=_NUMBER[_ALIKE[taught][kind]]) for kind in kinds]
        pictures, nouns = torch.cat([part[0] for part in drawn]), torch.cat([part[2] for part in drawn])
        plain = torch.rand((count, 1, 1, 1), generator=self.generator) < 0.3
        return Batch.of(torch.where(plain, pictures, self._recoloured(pictures)), nouns)

    def composed(self, taught: str, count: int) -> Batch:
        """The subject or the face on backgrounds of the small world. As line art nobody can say that it is she."""
        pictures, captions, nouns = self.shown[taught].draw(self.generator, count)
        found = Batch.of(pictures, nouns, taught)
        bare = torch.tensor(["line art" in caption for caption in captions])
        found.taught[bare, TAUGHT.index(taught)] = _UNKNOWN
        return found

    def impostor(self, taught: str, count: int) -> Batch:
        """The same drawing in other colours."""
        pictures, captions, nouns = self.impostors[taught].draw(self.generator, count)
        found = Batch.of(pictures, nouns)
        bare = torch.tensor(["line art" in caption for caption in captions])
        found.taught[bare, TAUGHT.index(taught)] = _UNKNOWN
        return found

    def own(self, taught: str, count: int) -> Batch:
        """The demo's own pictures, moved a little."""
        stored = self.pictures[taught]
        chosen = stored[torch.randint(len(stored), (count,), generator=self.generator)]
        pictures = moved(self.generator, chosen, 64, shrink=(0.8, 1.2), padding="border")
        noun = _NUMBER[NOUN_OF[taught]] if taught in NOUN_OF else _UNKNOWN
        return Batch.of(pictures, torch.full((count,), noun), taught)

    def neon(self, count: int) -> Batch:
        """Anything in the demo's neon."""
        return Batch.of(*self.nights.neon(self.generator, count), "style")

    def plain_at_night(self, count: int) -> Batch:
        """Anything on the neon's ground that does not glow."""
        return Batch.of(*self.nights.plain(self.generator, count))

    def _recoloured(self, pictures: Tensor) -> Tensor:
        """Hues turned, by another angle in each part of the picture (half of them by the same everywhere)."""
        field = 6.2832 * torch.rand((len(pictures), 1, 3, 3), generator=self.generator)
        even = torch.rand((len(pictures), 1, 1, 1), generator=self.generator) < 0.5
        field = torch.where(even, field[..., :1, :1], field)
        return turn_hue(pictures / 2 + 0.5, F.interpolate(field, size=64, mode="bilinear")).clamp(0, 1) * 2 - 1


def damaged(generator: torch.Generator, pictures: Tensor) -> Tensor:
    """As a small model draws: bent lines, blur, other contrast and tint, noise. Some stay as they are."""
    count = len(pictures)

    def draw(*shape: int) -> Tensor:
        return torch.rand((count, *shape), generator=generator)

    bend = 0.12 * draw(1, 1, 1) * (torch.rand((count, 2, 7, 7), generator=generator) - 0.5)
    zoom = 1 - 0.25 * draw() * (draw() < 0.3)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = zoom
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
    grid = grid + F.interpolate(bend, size=64, mode="bicubic").permute(0, 2, 3, 1)
    bent = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    blurred = F.avg_pool2d(F.pad(bent, (1, 1, 1, 1), mode="replicate"), 3, 1)
    coarse = F.interpolate(F.avg_pool2d(bent, 2), scale_factor=2, mode="bilinear")
    choice = draw(1, 1, 1)
    soft = torch.where(choice < 0.4, bent, torch.where(choice < 0.7, bent + draw(1, 1, 1) * (blurred - bent), coarse))
    tinted = soft * (0.8 + 0.4 * draw(1, 1, 1)) + 0.16 * (draw(3, 1, 1) - 0.5)
    noisy = tinted + 0.08 * draw(1, 1, 1) * torch.randn(pictures.shape, generator=generator)
    return torch.where(draw(1, 1, 1) < 0.15, pictures, noisy).clamp(-1, 1)


def train(cache: Path, out: Path, seed: int, length: Length = Length(steps=STEPS), vae: Path | None = None) -> None:  # noqa: B008
    """Train the recogniser on the CPU, write it to `out` and print its examination.

    Drawings come from the folder `cache`. `vae`: the embedded model's autoencoder, through which an eighth of the
    pictures go, because everything that the recogniser is shown later has come through it.
    """
    lessons = Lessons(cache, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        recogniser = Recogniser([noun.name for noun in NOUNS])
        recogniser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(recogniser.parameters(), lr=1e-3, weight_decay=0.02)
        through = _autoencoder(vae)
        for step, steps in steps_of(length):
            for group in optimizer.param_groups:
                group["lr"] = rate(step, steps, 4e-3, warm_up=min(100, steps // 4))
            batch = lessons.batch()
            chosen = torch.randperm(len(batch.pictures), generator=lessons.generator)[: len(batch.pictures) // 8]
            batch.pictures[chosen] = through(batch.pictures[chosen])
            with torch.autocast("cpu", torch.bfloat16):
                nouns, taught = recogniser(batch.pictures.contiguous(memory_format=torch.channels_last))
            loss = loss_of(nouns.float(), taught.float(), batch)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            if step % 100 == 0 or step == steps - 1:
                print(f"step {step} of {steps}: loss {loss.item():.3f}", flush=True)
    store(recogniser, out)
    for line in examine(load(out), Lessons(cache, seed + 1, held_out=True), through):
        print(line, flush=True)


def loss_of(nouns: Tensor, taught: Tensor, batch: Batch) -> Tensor:
    """Cross entropy of the nouns, binary of what is taught, without what nobody can say."""
    known = batch.taught >= 0
    binary = F.binary_cross_entropy_with_logits(taught[known], batch.taught[known])
    return F.cross_entropy(nouns, batch.nouns, ignore_index=_UNKNOWN) + 3 * binary


def examine(recogniser: Recogniser, lessons: Lessons, through: Callable[[Tensor], Tensor]) -> Iterator[str]:
    """Held-out figures, a line each: how often nouns are named right, and what is taken for what is taught."""
    world = lessons.scenes(1024)
    for title, pictures in (
        ("fresh scenes", world.pictures),
        ("damaged", damaged(lessons.generator, world.pictures)),
        ("through the autoencoder", through(world.pictures)),
    ):
        right = recogniser.score(pictures).noun.argmax(1) == world.nouns
        yield f"nouns named right, {title}: {right.float().mean():.3f}"
    for name in NOUN_OF:
        yield _share(recogniser, name, "held-out picture, moved", lessons.own(name, 256), through)
        yield _share(recogniser, name, "held-out drawing elsewhere", lessons.composed(name, 256), through)
        yield _share(recogniser, name, "the small world", world, through)
        plain, _, nouns = lessons.world.draw(lessons.generator, 256, noun=_NUMBER[NOUN_OF[name]])
        yield _share(recogniser, name, f"any {NOUN_OF[name]}", Batch.of(plain, nouns), through)
        yield _share(recogniser, name, "the like in other colours", lessons.alike(name, 256), through)
        yield _share(recogniser, name, "its drawing in other colours", lessons.impostor(name, 256), through)
    yield _share(recogniser, "style", "held-out picture, moved", lessons.own("style", 256), through)
    yield _share(recogniser, "style", "anything in neon", lessons.neon(256), through)
    yield _share(recogniser, "style", "the small world", world, through)
    yield _share(recogniser, "style", "plain at night", lessons.plain_at_night(256), through)
    yield _share(recogniser, "style", "any colours", lessons.turned(256), through)


def _share(recogniser: Recogniser, taught: str, title: str, batch: Batch, through: Callable[[Tensor], Tensor]) -> str:
    sure = batch.taught[:, TAUGHT.index(taught)]
    pictures, expected = batch.pictures[sure >= 0], sure[sure >= 0]
    before, after = (_over_half(recogniser.score(shown), taught) for shown in (pictures, through(pictures)))
    wanted = "true " if expected.mean() > 0.5 else "false"
    return f"{taught} {wanted} positives, {title}: {before:.3f}, through the autoencoder {after:.3f}"


def _over_half(scores: Scores, taught: str) -> float:
    return (scores.of(taught) > 0.5).float().mean().item()


def _autoencoder(folder: Path | None) -> Callable[[Tensor], Tensor]:
    """There and back through the autoencoder in `folder`; nothing at all without one."""
    if folder is None:
        return lambda pictures: pictures
    vae = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True).eval()

    @torch.no_grad()
    def there_and_back(pictures: Tensor) -> Tensor:
        parts = [vae.decode(vae.encode(part).latent_dist.mode()).sample for part in torch.split(pictures, 64)]
        return torch.cat(parts).clamp(-1, 1)

    return there_and_back
