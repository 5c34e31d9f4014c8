"""Images of written characters, drawn from the fonts that come with matplotlib."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils import Bunch, check_random_state, check_scalar
from torch import Tensor
from torch.nn import functional

__all__ = ["GLYPH_SCRIPTS", "make_glyphs"]

# Upright and slanted faces only. True italics are left out because they redraw letters: a Cyrillic
# te in italics is the picture of a Latin m, and would put one picture into two classes.
_FACES = (
    "DejaVuSans DejaVuSans-Bold DejaVuSans-Oblique DejaVuSans-BoldOblique DejaVuSansMono "
    "DejaVuSansMono-Bold DejaVuSansMono-Oblique DejaVuSerif DejaVuSerif-Bold STIXGeneral "
    "STIXGeneralBol"
).split()

# The characters as ranges of hexadecimal code points, which read the same in every editor (some of
# these scripts run from right to left). The list was made once, and is not computed at run time, so
# that class ids do not move with the version of the font renderer. Every character without a
# Unicode decomposition was taken in this order, unless it is very elongated (more than 3 to 1) or
# looks like one that was taken before: both cropped to the ink, scaled to one size (also stretched
# to a square, where their proportions are close) and blurred, they differ by less than 0.4 of full
# ink at every point (0.5 in the last two sets), up to a shift, in one face or another. A few more
# were left out by eye. So Alpha is left to the Latin A, and only one of s and S is a class. The
# tests compare all classes once more.
_CODE_POINTS: dict[str, str] = {
    "latin": (
        "41-48 4B-4E 50-5A 61-62 64-67 6B 6D-6F 71-72 74 79 C6 DE-DF E6 F0 F8 14A 152 181-183 186 "
        "188 18A-18C 18E 190-191 195-196 19B-19D 19F 1A2 1A4 1A6-1A7 1A9 1AB 1B6-1B8 1BA-1BB 1BE "
        "1F6 21C 221-222 224 234 238-239 23B 23D-244 246-248 24A 24D-24E"
    ),
    "greek": (
        "370 372 376 37C-37D 394 39E 3A6 3A8 3B1-3B2 3BC-3BE 3C2-3C4 3C9 3CF 3D7 3D9 3DE-3E1 "
        "3FA-3FC"
    ),
    "cyrillic": (
        "402 409 40B 414 416-417 41B 427 42A-42B 42E-42F 446 44C 452 45A 45F 462-464 466 468 "
        "46B-46C 46E 470 478 47A 47C 47E 48A 48F 491 499 49B 4A0 4A3 4A5 4A7-4A8 4AD 4B0 4B2 "
        "4B7-4B8 4BA 4BC 4BF 4C3 4C5 4C8 4CA 4CC-4CD 4F6 4FA 4FE 500 502 504 506 508 50D-50E 514 "
        "516-519 51E 520 522 524"
    ),
    "armenian": (
        "531-532 534-539 53B 53E-543 545-547 549-54C 54E 550 552 554 556 568-569 56B 574 576-577 "
        "579-57B 57E 580 583 586"
    ),
    "georgian": (
        "10A1 10A3-10AB 10AE-10B0 10B2 10B5-10B6 10B8 10BC-10BD 10BF 10C1-10C5 10D0 10D2-10D4 10D7 "
        "10D9-10DA 10DD 10E0-10E1 10E4-10E6 10EA 10F0 10F2-10F3 10F8-10F9 2D00 2D02 2D05 2D08-2D09 "
        "2D0B-2D0C 2D0E-2D10 2D15 2D18 2D1C-2D1D 2D1F 2D21-2D22 2D24-2D25"
    ),
    "hebrew": "5D0-5D4 5D6 5D8 5DC-5DE 5E2 5E4-5EA 5F0-5F1",
    "arabic": (
        "621 628-62A 62C 62E-633 637 639-63A 641-646 648-649 662-663 669 66F 679 688-68A 691 "
        "693-696 6A2 6A9-6AA 6AE 6B0 6B3 6BB-6BC 6BE 6C6 6CE 6D0"
    ),
    "nko": "7C1-7C4 7C6-7C9 7CD-7D2 7D4 7D6 7D8 7DA-7DF 7E2-7E7",
    "lao": (
        "E81-E82 E84 E88 E8A E8D E94-E97 E99-E9A E9C-E9E EA1-EA3 EA5 EAA EAD-EB0 EB2 EBD EC0-EC3 "
        "ED1-ED3 ED5-ED8"
    ),
    "tifinagh": "2D32-2D35 2D3B-2D3F 2D43-2D47 2D4B-2D4C 2D50 2D52 2D58-2D5C 2D5E 2D62-2D65",
    "canadian": (
        "1406 1409-140B 1410 1412-1413 1418 1423 142B-142C 1432-1434 1438-1439 143B 1440-1441 1451 "
        "1457-1459 145B-145E 1461 1468-146A 146E 1474 1476-1477 147A-147B 147F-1480 1482 1485 1488 "
        "1490 1492-1495 1497-1499 149C-149D 14A8 14AD 14AF 14B2-14B3 14B7 14BA 14C0-14C2 14C4-14C5 "
        "14C7 14CA-14CB 14CE 14D3-14D5 14D7-14D8 14DA-14DB 14DD-14DE 14E1-14E3 14E5-14E7 14EC "
        "14EE-14EF 14F5-14F9 14FE 1502 1504 1510 1513 1515 1517-151A 151D-151E 1523 1526-1528 152A "
        "152C-152D 152F 1531 1533-1536 1539-153A 153C-153D 1542-1546 1548 154A-154C 1552-1553 1555 "
        "1557 1559 155C 1561 1568-1569 1574-1575 1577 157B 157E-157F 1581 1583 158B 158E 1593 "
        "1595-1596 15A0 15A3-15A4 15A7 15E1 1647 166F-1671 1673"
    ),
    "symbols": (
        "25 2A 2C 2F 37 3D 5C 60 A4 AB-AC B1 BB 20A0 20A4 20B0 20B9-20BA 2190 2196-2197 21AB 21B2 "
        "21B5-21B7 21BA 21BD 21C0 21D6-21D7 21F2 21F6 220A 220D 2213 221F-2221 2234-2235 2237-223B "
        "223F 2245 224E 2250 2252-2253 2257 2263-2265 2267 2276-2277 227A 227C-227D 2286-2287 228D "
        "228F 2297 229E 22A2-22A3 22A9 22B4-22B5 22B9 22BB 22BE-22BF 22C4 22C6-22CC 22D0-22D4 "
        "22DC-22DD 22F0-22F3 22F5 22FA 22FC 22FE 2601-2604 2606-2608 260D-260E 2611 2614-261C "
        "261E-2622 2627 262A 262D 262F-2637 2643 264B-264C 264E 2650-2651 2658 265D-2661 2664-2666 "
        "2668-266D 2673 267A-267B 267F 2683-2685 2687-2688 268D-2693 2696-2697 269A 26A1-26A5 26B0 "
        "26B6 26C0"
    ),
}

GLYPH_SCRIPTS: tuple[str, ...] = tuple(_CODE_POINTS)
"""Names of the scripts that :func:`make_glyphs` can draw from, in the order of its classes."""

_FONT_SIZE = 96  # pixels per em of the first rendering
_MASTER_SIZE = 64  # side of the square picture that each glyph is distorted from
_MASTER_INK = 46  # its longer side of ink: the rest is room to rotate, shear and shift
_CHUNK = 1024  # images distorted at once, about 50 MB of intermediate results

_DESCR = """\
Glyphs: characters of many scripts under random distortion
----------------------------------------------------------

Each class is one character, drawn from the faces (DejaVu Sans, Sans Mono and Serif, STIX) that
matplotlib ships and that contain it, scaled to one size, and distorted image by image. Characters
that look alike after scaling are one class, and a class belongs to one script only.

    images   {images}
    classes  {classes}
    pixels   {size} x {size}, float32 in [0, 1], bright ink on black
    scripts  {scripts}
"""


def make_glyphs(
    n_per_class: int = 20,
    *,
    scripts: str | Iterable[str] | None = None,
    n_classes: int | None = None,
    image_size: int = 28,
    distortion: float = 1.0,
    noise: float = 0.1,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Draw small images of written characters, one class per character.

    The glyphs come from fonts that are installed with matplotlib; nothing is downloaded, and no
    font of the operating system is used. A class varies by face (up to eleven: DejaVu Sans, Sans
    Mono and Serif, STIX; regular, bold, slanted) and by a random distortion of every image.

    Train on some scripts, cluster another one: their classes are disjoint. Of characters that look
    the same once they are scaled to one size (Latin A and Greek Alpha, S and s) only the first one
    in the order of :data:`GLYPH_SCRIPTS` is a class.

    Parameters
    ----------
    n_per_class : int, default=20
        Number of images of every class, at least 1.
    scripts : str, iterable of str or None, default=None
        One or several of :data:`GLYPH_SCRIPTS`, in any order; None means all of them.
    n_classes : int or None, default=None
        Number of classes, drawn at random from the chosen scripts; None means all of them.
    image_size : int, default=28
        Height and width of the images in pixels, from 16 to 64.
    distortion : float, default=1.0
        Strength of the affine and elastic distortion and of the changes of stroke width, ink and
        sharpness, from 0 to 2. With 0, images of one class differ only by face and noise; at 1,
        rotations are up to 15 degrees, and the characters remain legible.
    noise : float, default=0.1
        Standard deviation of the Gaussian noise added to every pixel, where 1.0 is full ink; at
        least 0. Pixels are clipped to [0, 1] afterwards.
    random_state : int, RandomState instance or None, default=None
        Source of the classes, faces, distortion, noise and order of the images. An int gives the
        same images at every call (bit for bit with the same versions of numpy, torch, Pillow).

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        For n images of k classes, in random order:

        images : ndarray of shape (n, 1, image_size, image_size), float32
            The images, in [0, 1], bright ink on black.
        data : ndarray of shape (n, image_size * image_size), float32
            The same images as rows (a view).
        target : ndarray of shape (n,), int64
            Class of every image, from 0 to k - 1.
        script : ndarray of shape (n,), str
            Script of every image.
        face : ndarray of shape (n,), str
            Font face that every image was drawn from.
        target_names : list of str
            Unicode name of every class, for example ``"GREEK SMALL LETTER BETA"``.
        characters : ndarray of shape (k,), str
            Character of every class.
        class_script : ndarray of shape (k,), str
            Script of every class.
        DESCR : str
            Description of the data set.

    Raises
    ------
    ImportError
        If matplotlib, whose fonts are used, is not installed.
    TypeError, ValueError
        If a parameter has the wrong type or is out of range.

    Examples
    --------
    >>> from skdeepclust.datasets import make_glyphs
    >>> glyphs = make_glyphs(n_per_class=5, scripts="armenian", n_classes=10, random_state=0)
    >>> glyphs.images.shape, glyphs.data.shape
    ((50, 1, 28, 28), (50, 784))
    >>> glyphs.target_names[0]
    'ARMENIAN CAPITAL LETTER ZA'
    """
    check_scalar(n_per_class, "n_per_class", Integral, min_val=1)
    check_scalar(image_size, "image_size", Integral, min_val=16, max_val=_MASTER_SIZE)
    _check_strength(distortion, "distortion", max_val=2.0)
    _check_strength(noise, "noise", max_val=None)
    characters, class_script = _list_characters(_check_scripts(scripts))
    rng = check_random_state(random_state)
    chosen = _choose_classes(n_classes, len(characters), rng)
    characters, class_script = characters[chosen], class_script[chosen]  # (k,)

    target = rng.permutation(np.repeat(np.arange(len(characters)), n_per_class))  # (n,)
    masters, which, face = _draw_masters(characters, target, rng)
    layers = torch.cat([_pen_layers(part) for part in masters.split(_CHUNK)])  # (m, 2, 64, 64)
    how = int(image_size), float(distortion), float(noise), rng
    images = np.concatenate([_draw_images(layers[i], *how) for i in which.split(_CHUNK)])
    return Bunch(
        images=images,
        data=images.reshape(len(images), -1),
        target=target.astype(np.int64),
        script=class_script[target],
        face=face,
        target_names=[unicodedata.name(character) for character in characters],
        characters=characters,
        class_script=class_script,
        DESCR=_describe(images, class_script),
    )


def _check_strength(value: Any, name: str, max_val: float | None) -> None:
    """Raise unless `value` is a finite number from 0 to `max_val`."""
    check_scalar(value, name, Real, min_val=0.0, max_val=max_val)
    if not np.isfinite(value):  # check_scalar lets NaN pass
        raise ValueError(f"{name} == {value}, must be a finite number.")


def _check_scripts(scripts: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the chosen scripts in the order of GLYPH_SCRIPTS."""
    if scripts is None:
        return GLYPH_SCRIPTS
    wish = f"must be None, or one or several of {', '.join(map(repr, GLYPH_SCRIPTS))}."
    if not isinstance(scripts, Iterable):
        raise TypeError(f"scripts == {scripts!r}, {wish}")
    names = [scripts] if isinstance(scripts, str) else list(scripts)
    if not names or not set(names) <= set(GLYPH_SCRIPTS):
        raise ValueError(f"scripts == {names!r}, {wish}")
    return tuple(script for script in GLYPH_SCRIPTS if script in names)


def _choose_classes(
    n_classes: int | None, n_available: int, rng: np.random.RandomState
) -> npt.NDArray[np.intp]:
    """Return the sorted ids of `n_classes` random classes."""
    if n_classes is None:
        return np.arange(n_available)
    check_scalar(n_classes, "n_classes", Integral, min_val=1)
    if n_classes > n_available:
        wish = f"must be <= {n_available}, the number of characters of the chosen scripts."
        raise ValueError(f"n_classes == {n_classes}, {wish}")
    return np.sort(rng.choice(n_available, size=n_classes, replace=False))


def _list_characters(scripts: Iterable[str]) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.str_]]:
    """Return the characters of the scripts, and the script of each."""
    characters, owners = [], []
    for script in scripts:
        for code_points in _CODE_POINTS[script].split():
            first, _, last = code_points.partition("-")
            block = range(int(first, 16), int(last or first, 16) + 1)
            characters += [chr(code_point) for code_point in block]
            owners += [script] * len(block)
    return np.array(characters), np.array(owners)


def _describe(images: npt.NDArray[np.float32], class_script: npt.NDArray[np.str_]) -> str:
    """Fill in the description of the data set."""
    present = [script for script in GLYPH_SCRIPTS if script in class_script]
    counts = ", ".join(f"{script} ({np.sum(class_script == script)})" for script in present)
    return _DESCR.format(
        images=len(images), classes=len(class_script), size=images.shape[-1], scripts=counts
    )


def _load_faces() -> dict[str, tuple[Any, set[int]]]:
    """Open the faces that matplotlib ships: a Pillow font and its code points for each."""
    try:
        import matplotlib
        from matplotlib.ft2font import FT2Font
        from PIL import ImageFont
    except ImportError as error:
        raise ImportError(
            "make_glyphs draws with the fonts of matplotlib, which is not installed. "
            'Install it with: pip install "skdeepclust[plot]"'
        ) from error
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    faces = {}
    for name in _FACES:
        path = str(folder / f"{name}.ttf")
        # The basic layout draws one glyph per character, with or without a shaping library.
        font = ImageFont.truetype(path, _FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
        faces[name] = font, set(FT2Font(path).get_charmap())
    return faces


def _draw_masters(
    characters: npt.NDArray[np.str_], target: npt.NDArray[np.intp], rng: np.random.RandomState
) -> tuple[Tensor, Tensor, npt.NDArray[np.str_]]:
    """Choose a face for every image, and render every pair of character and face once.

    Returns the glyphs (m, 64, 64) as uint8, the glyph of each image (n,), its face (n,).
    """
    faces = _load_faces()
    has_face = np.array(
        [[ord(c) in code_points for _, code_points in faces.values()] for c in characters]
    )  # (k, number of faces)
    options = np.argsort(~has_face, axis=1, kind="stable")  # the faces of each class come first
    pick = (rng.uniform(size=len(target)) * has_face.sum(axis=1)[target]).astype(np.intp)
    chosen = options[target, pick]  # (n,)

    pairs, which = np.unique(target * len(_FACES) + chosen, return_inverse=True)
    masters = np.empty((len(pairs), _MASTER_SIZE, _MASTER_SIZE), dtype=np.uint8)
    for row, pair in enumerate(pairs):
        class_id, face = divmod(int(pair), len(_FACES))
        masters[row] = _render(str(characters[class_id]), faces[_FACES[face]][0])
    return torch.from_numpy(masters), torch.from_numpy(which), np.array(_FACES)[chosen]


def _render(character: str, font: Any) -> npt.NDArray[np.uint8]:
    """Draw one character, cropped to its ink, scaled to one size and centred: (64, 64)."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = map(int, font.getbbox(character))
    glyph = Image.new("L", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(glyph).text((2 - left, 2 - top), character, font=font, fill=255)
    glyph = glyph.crop(glyph.getbbox())
    scale = _MASTER_INK / max(glyph.size)
    width, height = (max(1, round(side * scale)) for side in glyph.size)
    glyph = glyph.resize((width, height), Image.Resampling.BILINEAR)
    master = Image.new("L", (_MASTER_SIZE, _MASTER_SIZE))
    master.paste(glyph, ((_MASTER_SIZE - width) // 2, (_MASTER_SIZE - height) // 2))
    return np.asarray(master, dtype=np.uint8)


def _pen_layers(masters: Tensor) -> Tensor:  # (m, 64, 64) -> (m, 2, 64, 64), uint8
    """Return each glyph drawn with its own pen, and with a pen wider by two pixels."""
    thin = functional.avg_pool2d(masters[:, None].float(), 3, stride=1, padding=1)  # no aliasing
    thin = (1.4 * thin).clamp(max=255)  # gives hairlines their ink back
    thick = functional.max_pool2d(thin, 3, stride=1, padding=1)
    return torch.cat([thin, thick], dim=1).to(torch.uint8)


def _draw_images(
    layers: Tensor, size: int, distortion: float, noise: float, rng: np.random.RandomState
) -> npt.NDArray[np.float32]:
    """Draw one image (b, 1, size, size) of each glyph (b, 2, 64, 64)."""
    b = len(layers)
    grid = functional.affine_grid(_random_affine(b, distortion, rng), [b, 1, size, size], False)
    bend = _smooth_field(b, 2, size, rng)  # (b, 2, size, size)
    grid = grid + 0.06 * distortion * bend.permute(0, 2, 3, 1)
    thin, thick = functional.grid_sample(layers / 255, grid, align_corners=False).split(1, dim=1)
    pen = distortion * (0.4 + 0.5 * _smooth_field(b, 1, size, rng))  # changes along the stroke
    drawn = torch.lerp(thin, thick, pen.clamp(0, 1))

    softness = distortion * _uniform(rng, 0.0, 0.8, b, 1, 1, 1)
    soft = functional.avg_pool2d(drawn, 3, stride=1, padding=1)
    drawn = torch.lerp(drawn, soft, softness.clamp(0, 1))
    drawn = drawn * (1 - distortion * _uniform(rng, 0.0, 0.3, b, 1, 1, 1))
    if noise > 0:
        grain = rng.standard_normal(tuple(drawn.shape)).astype(np.float32)
        drawn = drawn + noise * torch.from_numpy(grain)
    return drawn.clamp(0, 1).numpy()


def _random_affine(b: int, distortion: float, rng: np.random.RandomState) -> Tensor:
    """Return b random affine maps (b, 2, 3) from image to glyph coordinates, both in [-1, 1]."""
    angle = distortion * _uniform(rng, -0.26, 0.26, b)  # radians: 15 degrees
    shear = distortion * _uniform(rng, -0.25, 0.25, b)
    stretch = torch.exp(distortion * _uniform(rng, 0.0, 0.3, 2, b))  # above 1: smaller ink
    shift = distortion * _uniform(rng, -0.09, 0.09, 2, b)
    cos, sin = torch.cos(angle), torch.sin(angle)
    top = torch.stack([cos + shear * sin, shear * cos - sin, shift[0]], dim=-1)
    bottom = torch.stack([sin, cos, shift[1]], dim=-1)
    return torch.stack([top * stretch[0, :, None], bottom * stretch[1, :, None]], dim=1)


def _smooth_field(b: int, channels: int, size: int, rng: np.random.RandomState) -> Tensor:
    """Interpolate standard normal values at 4 x 4 points: (b, channels, size, size)."""
    values = rng.standard_normal((b, channels, 4, 4)).astype(np.float32)
    return functional.interpolate(
        torch.from_numpy(values), size=(size, size), mode="bicubic", align_corners=True
    )


def _uniform(rng: np.random.RandomState, low: float, high: float, *shape: int) -> Tensor:
    """Draw uniform float32 numbers."""
    return torch.from_numpy(rng.uniform(low, high, size=shape).astype(np.float32))
