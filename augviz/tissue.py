"""A synthetic slide: tissue stained with haematoxylin and eosin, with structure from whole lobes down to nuclei.

Large structures are computed at an eighth of the resolution and enlarged as smooth fields; what they mean is looked up at
full resolution, so their edges are sharp there. Nuclei, fibres and grain are added at full resolution.
"""

from __future__ import annotations

import math

import numpy as np
import pyvips

from augviz.stamps import COARSE, ellipse, enlarged, filling, grain, ramp, scatter, table

MICRONS_PER_PIXEL = 0.5
"""Nuclei are 9 to 16 pixels wide, as at 20 x."""

_HAEMATOXYLIN = (0.65, 0.70, 0.29)
_EOSIN = (0.05, 0.50, 0.20)
"""Optical density of each stain in red, green and blue (Ruifrok and Johnston 2001, eosin a little bluer)."""

# What a point of the tissue is made of, along one axis from the inside of a gland outwards: position, eosin,
# haematoxylin, density of round nuclei, strength of fibres, density of long nuclei (all 0 to 255).
_PROFILE = (
    (0, 0, 0, 0, 0, 0),
    (52, 4, 2, 0, 0, 0),
    (60, 70, 40, 0, 0, 0),
    (74, 80, 46, 120, 0, 0),
    (96, 78, 60, 250, 0, 0),
    (124, 86, 52, 235, 5, 0),
    (138, 96, 16, 20, 30, 60),
    (180, 100, 14, 12, 48, 70),
    (255, 124, 14, 6, 64, 80),
)


def tissue(side: int, seed: int = 1) -> pyvips.Image:
    """The slide as a lazy sRGB image, side x side, uchar; the same for the same side and seed."""
    rng = np.random.default_rng(seed)
    coarse = math.ceil(side / COARSE)
    structure, phase = _coarse_fields(coarse, seed)
    fine = enlarged(structure, side)
    jitter = filling(_soft_grain(rng), side).linear(1.0, -128.0)
    place, edge, lymph = ((fine[i] + jitter * amount).cast("uchar") for i, amount in ((0, 0.07), (1, 0.2), (2, 0.1)))
    inside = edge.maplut(ramp(((0, 0), (118, 0), (138, 255), (255, 255))))
    crowd = lymph.maplut(ramp(((0, 0), (150, 0), (185, 255), (255, 255))))

    made_of = place.maplut(_profile_lut())
    waves = enlarged(phase, side).maplut(_waves_lut())
    fibres = (waves.linear(1 / 128, -1.0) * made_of[3]).cast("char")
    eosin = made_of[0] + fibres

    round_nuclei, long_nuclei = _nuclei(rng, side)
    crowded = crowd & place.maplut(ramp(((0, 0), (56, 0), (70, 255), (255, 255))))
    packed = crowded.linear(0.85, 0).cast("uchar")
    density = (packed > made_of[2]).ifthenelse(packed, made_of[2])
    nuclei = round_nuclei[0] & (density > round_nuclei[1])
    nuclei = nuclei | (long_nuclei[0] & (made_of[4] > long_nuclei[1]))
    haematoxylin = made_of[1] + nuclei.linear(0.62, 0) + crowded.linear(0.12, 0)

    # 255 of a stain is a concentration of 1.7; `index` is optical density in steps of 1 / 100.
    stains = (haematoxylin.bandjoin(eosin) * inside).linear(1 / 255, 0)
    factor = 1.7 / 255 * 100
    weights = [[factor * h, factor * e] for h, e in zip(_HAEMATOXYLIN, _EOSIN, strict=True)]
    noise = filling(grain(1024, 2.0, rng), side).linear(1.0, -128.0 + 0.5)
    index = (stains.recomb(weights) + noise).cast("uchar")
    return index.maplut(_transmission_lut()).copy(interpretation="srgb")


def _coarse_fields(side: int, seed: int) -> tuple[pyvips.Image, pyvips.Image]:
    """The fields of the large structures, in memory, side x side.

    Returns:
        three uchar bands: position on the axis of `_PROFILE`, depth inside the tissue around 128, crowding of lymphocytes
        around 150; and the phase of the fibres, ushort.
    """

    def noise(cell: float, number: int) -> pyvips.Image:
        return pyvips.Image.perlin(side, side, cell_size=max(2, round(cell)), seed=seed * 1000 + number)

    points = pyvips.Image.xyz(side, side)
    x, y = points[0] / side - 0.5, points[1] / side - 0.5
    lobes = noise(side / 3, 1) * 0.9 + noise(side / 7, 2) * 0.45 + noise(side / 20, 3) * 0.16 + noise(28, 4) * 0.05
    body = (x * x / 0.19 + y * y / 0.15) * -1.0 + 1.0
    chip = ((x - 0.40) ** 2 / 0.008 + (y - 0.40) ** 2 / 0.012) * -0.4 + 0.3
    depth = (body > chip).ifthenelse(body, chip) + lobes
    tears = (noise(side / 5, 5) + noise(40, 6) * 0.05).abs() * 2 - 0.02 + (noise(side / 4, 22) > -0.1) / 255
    depth = (tears < depth).ifthenelse(tears, depth)

    warp = points + noise(22, 7).bandjoin(noise(22, 8)) * 9 + noise(9, 9).bandjoin(noise(9, 10)) * 2
    distance = pyvips.Image.worley(side, side, cell_size=34, seed=seed * 1000 + 11).mapim(warp, extend="copy")
    distance = distance.copy_memory()
    kind = noise(side / 4, 12) + noise(side / 9, 13) * 0.5
    gland = distance * 10 + 4 + noise(14, 14) * 30
    stroma = noise(30, 15) * 60 + 205
    fat_cells = pyvips.Image.worley(side, side, cell_size=13, seed=seed * 1000 + 16).mapim(warp, extend="copy")
    fat = (fat_cells - 4.0) * 60 + 60
    between = kind * -1500 + 60
    between = (between < stroma).ifthenelse(between, stroma)
    place = (gland > between).ifthenelse(gland, between)
    place = (kind < -0.33).ifthenelse(fat, place)
    crowd = (noise(side / 6, 17) * 0.8 + noise(60, 18) * 0.5 + noise(18, 19) * 0.25) * 150 + 95
    fields = place.bandjoin([depth * (side * 1.2) + 128, crowd]).cast("uchar").copy_memory()
    phase = (noise(20, 20) * 0.35 + noise(60, 21) + noise(150, 23) * 1.8) * 8000 + 32768
    return fields, phase.cast("ushort").copy_memory()


def _nuclei(rng: np.random.Generator, side: int) -> tuple[pyvips.Image, pyvips.Image]:
    """Round and long nuclei over the whole slide: darkness, and the rank that a density is compared with."""
    round_stamps = [_textured(ellipse(rng, rng.uniform(10, 17), rng.uniform(8, 12)), rng) for _ in range(60)]
    long_stamps = [_textured(ellipse(rng, rng.uniform(16, 26), rng.uniform(4, 6)), rng) for _ in range(40)]
    round_tile = scatter(1280, 15.5, round_stamps, rng)
    long_tile = scatter(1111, 24, long_stamps, rng)
    return filling(round_tile, side), filling(long_tile, side)


def _textured(shape: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Chromatin: each nucleus has its own darkness, and is mottled."""
    mottled: np.ndarray = shape * np.clip(rng.uniform(0.45, 0.95) + rng.normal(0, 0.09, shape.shape), 0, 1)
    return mottled


def _soft_grain(rng: np.random.Generator) -> pyvips.Image:
    """Grain of about 5 pixels, around 128, that roughens edges; repeats without a seam."""
    tile = grain(512, 60, rng)
    wide = tile.replicate(3, 3).gaussblur(2.0, precision="float").crop(512, 512, 512, 512)
    return wide.linear(4.0, -3.0 * 128).cast("uchar").copy_memory()


def _profile_lut() -> pyvips.Image:
    positions = [row[0] for row in _PROFILE]
    columns = zip(*(row[1:] for row in _PROFILE), strict=True)
    return table(np.stack([np.interp(np.arange(256), positions, column) for column in columns], axis=-1))


def _waves_lut() -> pyvips.Image:
    """Fibres for each phase: 65536 values around 128."""
    turns = np.arange(65536) / 65536 * 2 * np.pi
    wave = np.sin(turns * 190) * 0.4 + np.sin(turns * 313 + 1) * 0.35 + np.sin(turns * 71 + 2) * 0.35
    return table(128 + 80 * wave)


def _transmission_lut() -> pyvips.Image:
    """What light is left for each optical density in steps of 1 / 100, below the lamp's 245."""
    return table(245 * 10 ** (-np.arange(256) / 100))
