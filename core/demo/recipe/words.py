"""The small world that the embedded model knows: its nouns, styles and backgrounds, and how a caption is put together.

Each noun names the icon that shows it; the icon sets agree on these names (`drawings.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

# noun → icons. A noun with several icons (skins, hair) is drawn as any of them.
_SAME_NAME = """
bear boy girl frog fox panda koala hamster lion unicorn wolf penguin duck owl eagle flamingo parrot peacock turtle snake
octopus crab lobster shrimp fish dolphin shark crocodile elephant giraffe zebra camel hedgehog bat butterfly snail
spider cactus tulip rose sunflower mushroom pear lemon banana watermelon grapes strawberry cherries peach
pineapple tomato avocado eggplant carrot broccoli bread croissant pretzel pancakes hamburger pizza taco popcorn doughnut
cookie candy lollipop rocket taxi bus tractor bicycle airplane helicopter sailboat anchor balloon house castle tent
volcano rainbow sun star cloud umbrella snowman fire guitar violin trumpet drum saxophone microphone radio camera
television telephone laptop candle key hammer axe wrench scissors pencil envelope robot ghost alien skull crown dress
backpack glasses ring trophy basketball magnet bell bomb watch chair bed door mouse-face rabbit-face dog-face
cat-face monkey-face cow-face pig-face horse-face tiger-face dragon-face clown-face red-apple green-apple palm-tree
cherry-blossom maple-leaf hot-dog french-fries birthday-cake honey-pot wine-glass beer-mug police-car fire-engine
motor-scooter light-bulb teddy-bear top-hat t-shirt soccer-ball alarm-clock shopping-cart high-heeled-shoe
tropical-fish baby-chick cow rooster santa-claus
"""  # fmt: skip
_OTHER_NAME = {
    "car": ("automobile",),
    "train": ("locomotive",),
    "ship": ("passenger-ship",),
    "whale": ("spouting-whale",),
    "dinosaur": ("t-rex",),
    "bee": ("honeybee",),
    "ladybug": ("lady-beetle",),
    "tree": ("deciduous-tree",),
    "pine tree": ("evergreen-tree",),
    "clover": ("four-leaf-clover",),
    "orange": ("tangerine",),
    "corn": ("ear-of-corn",),
    "pepper": ("hot-pepper",),
    "cheese": ("cheese-wedge",),
    "ice cream": ("soft-ice-cream",),
    "cup of coffee": ("hot-beverage",),
    "moon": ("crescent-moon",),
    "mountain": ("snow-capped-mountain",),
    "drop of water": ("droplet",),
    "book": ("closed-book",),
    "gift": ("wrapped-gift",),
    "pumpkin": ("jack-o-lantern",),
    "shoe": ("running-shoe",),
    "diamond": ("gem-stone",),
    "dart board": ("bullseye",),
    "hourglass": ("hourglass-done",),
    "lock": ("locked",),
    "headphones": ("headphone",),
    "heart": ("red-heart",),
    "dice": ("game-die",),
    "smiling face": ("grinning-face",),
    "tennis racket": ("tennis",),
    "woman face": tuple(
        f"woman{skin}{hair}"
        for skin in ("", "-light-skin-tone", "-medium-skin-tone", "-dark-skin-tone")
        for hair in ("", "-blonde-hair", "-red-hair", "-curly-hair")
    ),
    "man face": tuple(
        f"man{skin}{hair}"
        for skin in ("", "-light-skin-tone", "-medium-skin-tone", "-dark-skin-tone")
        for hair in ("", "-blonde-hair", "-red-hair", "-curly-hair")
    ),
    "old woman": ("old-woman", "old-woman-light-skin-tone", "old-woman-dark-skin-tone"),
    "old man": ("old-man", "old-man-light-skin-tone", "old-man-dark-skin-tone"),
    "baby": ("baby", "baby-light-skin-tone", "baby-dark-skin-tone"),
}

# Plurals, masses and names take no article.
_WITHOUT_ARTICLE = frozenset(
    [
        "grapes",
        "cherries",
        "pancakes",
        "scissors",
        "headphones",
        "glasses",
        "french fries",
        "broccoli",
        "bread",
        "popcorn",
        "fire",
        "corn",
        "cheese",
        "dice",
        "santa claus",
    ]
)
_UNIQUE = frozenset({"sun", "moon"})


@dataclass(frozen=True)
class Noun:
    """A thing of the small world."""

    name: str
    icons: tuple[str, ...]

    @property
    def phrase(self) -> str:
        """The noun with its article: `a dog face`, `an owl`, `grapes`, `the sun`."""
        if self.name in _WITHOUT_ARTICLE:
            return self.name
        if self.name in _UNIQUE:
            return f"the {self.name}"
        vowel = self.name[0] in "aeiou" and not self.name.startswith("uni")
        return f"{'an' if vowel or self.name == 'hourglass' else 'a'} {self.name}"


NOUNS: tuple[Noun, ...] = tuple(
    sorted(
        [
            *(Noun(icon.replace("-", " ") if icon != "t-shirt" else icon, (icon,)) for icon in _SAME_NAME.split()),
            *(Noun(name, icons) for name, icons in _OTHER_NAME.items()),
        ],
        key=lambda noun: noun.name,
    )
)

# Styles that a caption can ask for; "" is a drawing as its icon set has it.
STYLES: tuple[str, ...] = ("", "pixel art", "line art", "sticker")

# Backgrounds that a caption can name, red, green and blue in 0 to 255.
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "red": (214, 48, 49),
    "orange": (243, 140, 40),
    "yellow": (250, 215, 70),
    "green": (66, 170, 82),
    "blue": (58, 116, 216),
    "purple": (142, 80, 190),
    "pink": (245, 160, 195),
    "brown": (130, 88, 58),
    "white": (248, 248, 248),
    "gray": (138, 142, 148),
    "black": (24, 24, 28),
    "light blue": (165, 212, 240),
}  # fmt: skip


def caption(subject: str, style: str = "", background: str = "") -> str:
    """A caption as the training writes it: `a dog face in pixel art style on a blue background`."""
    text = subject
    if style:
        text += f" in {style} style"
    if background:
        text += f" on {'an' if background[0] in 'aeiou' else 'a'} {background} background"
    return text
