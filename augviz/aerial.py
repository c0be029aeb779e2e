"""Synthetic farmland from the air: parcels and rows, hedges, roads, a river, woods, villages, down to single trees.

As in `tissue.py`, large structures are fields at an eighth of the resolution that are enlarged and looked up at full
resolution; rows, trees, roofs and grain are added at full resolution.
"""

from __future__ import annotations

import math

import numpy as np
import pyvips

from augviz.stamps import COARSE, ellipse, enlarged, filling, grain, ramp, scatter, table

_CROPS = (
    (92, 124, 58), (110, 140, 66), (76, 110, 52), (128, 150, 80), (146, 158, 90), (170, 160, 100),
    (192, 176, 120), (160, 136, 98), (134, 110, 80), (118, 98, 74), (204, 190, 72), (84, 118, 74),
)  # fmt: skip
"""Colours of the parcels: greens, ripe grain, bare soil, one in flower."""

_DIRECTIONS = 4
"""Rows run in so many directions; 0, 45, 90 and 135 degrees."""

_PARCEL_PX = (480, 1500)
"""Parcels are split until their sides are about within these full-size pixels."""


def aerial(side: int, seed: int = 1) -> pyvips.Image:
    """The land as a lazy sRGB image, side x side, uchar; the same for the same side and seed."""
    rng = np.random.default_rng(seed)
    coarse = math.ceil(side / COARSE)
    parcels, fields = _coarse_fields(coarse, seed, rng)
    fine = enlarged(fields, side)
    hedge, road, water, wood, village, soil = (fine[i] for i in range(6))
    kind = parcels.zoom(COARSE, COARSE).crop(0, 0, side, side)
    noise = filling(grain(1024, 7, rng), side)

    rows = filling(_rows(rng), side)
    direction, strength = _row_tables(rng)
    shade = kind.maplut(direction).case([rows[i] for i in range(_DIRECTIONS)]).linear(1.0, -128.0)
    shade = shade * kind.maplut(strength).linear(1 / 255, 0)
    ground = kind.maplut(_crop_colours(rng)) + (shade + soil.linear(0.22, -28))
    green = wood.maplut(ramp(((0, 0), (128, 0), (140, 255), (255, 255))))
    ground = green.ifthenelse([58, 78, 44], ground.cast("uchar"), blend=True)
    ground = village.maplut(ramp(((0, 0), (150, 0), (200, 160), (255, 160)))).ifthenelse(
        [150, 152, 128], ground, blend=True
    )
    ground = hedge.maplut(ramp(((0, 0), (90, 0), (140, 200), (255, 230)))).ifthenelse([70, 88, 50], ground, blend=True)
    bank = water.maplut(ramp(((0, 0), (110, 0), (126, 255), (255, 255))))
    ground = bank.ifthenelse([150, 140, 108], ground, blend=True)

    trees = filling(_trees(rng), side)
    wanted = wood.maplut(ramp(((0, 5), (118, 8), (140, 235), (255, 250)))) | hedge.maplut(
        ramp(((0, 0), (80, 0), (150, 120)))
    )
    wanted = wanted & water.maplut(ramp(((0, 255), (104, 255), (105, 0), (255, 0))))
    ground = (wanted > trees[3]).ifthenelse((trees[3] > 0).ifthenelse(trees.extract_band(0, n=3), ground), ground)
    paved = road.maplut(ramp(((0, 0), (100, 0), (124, 255), (255, 255))))
    ground = paved.ifthenelse([168, 164, 158], ground, blend=True)
    roofs = filling(_roofs(rng), side)
    built = village.maplut(ramp(((0, 0), (130, 0), (175, 220), (255, 235)))) & (road < 70) & (bank < 10)
    ground = (built > roofs[3]).ifthenelse((roofs[3] > 0).ifthenelse(roofs.extract_band(0, n=3), ground), ground)
    deep = water.maplut(ramp(((0, 0), (126, 0), (136, 255), (255, 255))))
    ground = (deep & (road < 112)).ifthenelse([64, 92, 98], ground, blend=True)
    return (ground + noise.linear(0.9, -0.9 * 128 + 0.5)).cast("uchar").copy(interpretation="srgb")


def _coarse_fields(side: int, seed: int, rng: np.random.Generator) -> tuple[pyvips.Image, pyvips.Image]:
    """The parcels and the large structures, in memory, side x side.

    Returns:
        a number for each parcel, 0 to 255, uchar; and six uchar bands: hedge, road, water, wood and village, each around
        128 at its edge, and the wetness of the soil.
    """

    def noise(cell: float, number: int) -> pyvips.Image:
        return pyvips.Image.perlin(side, side, cell_size=max(2, round(cell)), seed=seed * 1000 + number)

    points = pyvips.Image.xyz(side, side)
    # The map of parcels is larger than the land, so that its turned and bent grid covers it.
    margin = side // 4 + 40
    numbers, streets = _split(side + 2 * margin, rng)
    x, y = points[0] - side / 2, points[1] - side / 2
    bend = max(8.0, min(60.0, side / 12))
    along = x * 0.966 - y * 0.259 + noise(side / 2, 1) * bend + noise(90, 2) * 9
    across = x * 0.259 + y * 0.966 + noise(side / 2, 3) * bend + noise(90, 4) * 9
    where = (along + (side / 2 + margin)).bandjoin(across + (side / 2 + margin)).cast("float").copy_memory()
    nearest, linear = pyvips.Interpolate.new("nearest"), pyvips.Interpolate.new("bilinear")
    parcels = numbers.mapim(where, interpolate=nearest, extend="copy").cast("uchar").copy_memory()
    road = streets.mapim(where, interpolate=linear, extend="copy")

    high, low = parcels.rank(3, 3, 8), parcels.rank(3, 3, 0)
    gaps = noise(34, 5).linear(130, 215)
    hedge = ((high != low).gaussblur(0.9) * gaps).linear(1 / 160, 0)
    width = max(4.0, side / 220)
    course = (noise(side / 1.3, 6) + noise(side / 6, 7) * 0.16 + noise(60, 8) * 0.008).abs()
    water = course * (-128 * side / 1.3 / 1.6 / width) + 256
    wood = noise(side / 5, 9) + noise(side / 14, 10) * 0.5 + noise(40, 11) * 0.18
    wood = (wood - 0.24) * min(900.0, side * 1.2)
    village = (noise(260 if side > 600 else side / 3, 12) - 0.32) * 620 + noise(24, 13) * 40 + 128
    soil = noise(side / 6, 14) * 90 + noise(50, 15) * 70 + noise(12, 16) * 36 + 128
    fields = hedge.bandjoin([road, water, wood + 128, village, soil]).cast("uchar")
    return parcels, fields.copy_memory()


def _split(side: int, rng: np.random.Generator) -> tuple[pyvips.Image, pyvips.Image]:
    """A square split into ever smaller rectangles: their numbers, and the streets along the first cuts (0 to 255)."""
    numbers = np.zeros((side, side), np.uint8)
    streets = np.zeros((side, side), np.uint8)
    smallest, largest = (length / COARSE for length in _PARCEL_PX)
    waiting = [(0, 0, side, side)]
    while waiting:
        top, left, bottom, right = waiting.pop()
        height, width = bottom - top, right - left
        longer = max(height, width)
        if longer < 2 * smallest or (longer < largest and rng.uniform() < 0.35):
            numbers[top:bottom, left:right] = rng.integers(0, 256)
            continue
        cut = int(longer * rng.uniform(0.36, 0.64))
        street = longer > 4 * largest or (longer > 1.6 * largest and rng.uniform() < 0.3)
        if height >= width:
            waiting += [(top, left, top + cut, right), (top + cut, left, bottom, right)]
            if street:
                streets[top + cut - 1 : top + cut + 1, left:right] = 255
        else:
            waiting += [(top, left, bottom, left + cut), (top, left + cut, bottom, right)]
            if street:
                streets[top:bottom, left + cut - 1 : left + cut + 1] = 255
    return pyvips.Image.new_from_array(numbers), pyvips.Image.new_from_array(streets)


def _crop_colours(rng: np.random.Generator) -> pyvips.Image:
    """A colour for each parcel's number."""
    palette = np.array(_CROPS, float)
    weights = np.array([3, 3, 3, 2, 2, 2, 2, 2, 1, 1, 0.6, 3.0])
    chosen = palette[rng.choice(len(palette), 256, p=weights / weights.sum())]
    return table(chosen + rng.normal(0, 6, (256, 1)) + rng.normal(0, 3, (256, 3)))


def _row_tables(rng: np.random.Generator) -> tuple[pyvips.Image, pyvips.Image]:
    """For each parcel's number: the direction of its rows, and how strongly they show; a meadow has none."""
    directions = rng.integers(0, _DIRECTIONS, 256).astype(float)
    return table(directions), table(rng.choice([0.0, 90.0, 160.0, 255.0], 256))


def _rows(rng: np.random.Generator) -> pyvips.Image:
    """A tile of 720 pixels with rows in each direction, a band each, around 128; wheel tracks every 120 pixels."""
    y, x = np.mgrid[0:720, 0:720].astype(float)
    bands = []
    for step_x, step_y in ((1, 0), (1, 1), (0, 1), (1, -1)):
        place = x * step_x + y * step_y
        tracks = np.exp(-(((place % 120) - 60) ** 2) / 8) + np.exp(-(((place % 120) - 72) ** 2) / 8)
        bands.append(128 + 13 * np.sin(place * 2 * np.pi / 12) + rng.normal(0, 3, place.shape) - 34 * tracks)
    values = np.clip(np.round(np.stack(bands, axis=-1)), 0, 255).astype(np.uint8)
    return pyvips.Image.new_from_array(values).copy(interpretation="multiband")


def _trees(rng: np.random.Generator) -> pyvips.Image:
    """Crowns, lit from the upper left; the last band is their rank."""
    stamps = []
    for _ in range(48):
        size = rng.uniform(14, 34)
        crown = ellipse(rng, size, size * rng.uniform(0.85, 1), 1.2)
        half = (crown.shape[0] - 1) / 2
        y, x = np.mgrid[-half : half + 1, -half : half + 1] / (size / 2)
        light = np.clip(0.75 - 0.35 * (x + y) - 0.25 * np.hypot(x, y), 0.2, 1.3) * rng.normal(1, 0.12, crown.shape)
        colour = np.array([0.30, 0.42, 0.20]) * rng.uniform(0.8, 1.15) + rng.normal(0, 0.02, 3)
        stamps.append(np.clip(light[..., None] * colour, 0.03, 1) * (crown > 0.5)[..., None])
    return scatter(1280, 17, stamps, rng)


def _roofs(rng: np.random.Generator) -> pyvips.Image:
    """Houses with two roof slopes and a shadow; the last band is their rank."""
    stamps = []
    for _ in range(40):
        long_px, short_px = rng.uniform(34, 70), rng.uniform(24, 38)
        angle = rng.choice([0.26, 0.26 + np.pi / 2]) + rng.normal(0, 0.06)
        half = int(long_px / 2 + 16)
        y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(float)
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        house = (abs(along) < long_px / 2) & (abs(across) < short_px / 2)
        shifted_along = (x - 6) * np.cos(angle) + (y - 6) * np.sin(angle)
        shifted_across = (y - 6) * np.cos(angle) - (x - 6) * np.sin(angle)
        shadow = (abs(shifted_along) < long_px / 2) & (abs(shifted_across) < short_px / 2) & ~house
        roof = np.array([[0.66, 0.36, 0.28], [0.55, 0.30, 0.24], [0.52, 0.50, 0.50], [0.72, 0.70, 0.66]])[
            rng.integers(4)
        ]
        slope = np.where(across < 0, 1.12, 0.82) * (1 + 0.06 * np.sin(along * 1.6))
        picture = house[..., None] * slope[..., None] * roof + shadow[..., None] * np.array([0.16, 0.18, 0.14])
        stamps.append(np.clip(picture, 0, 1))
    return scatter(1360, 85, stamps, rng)
