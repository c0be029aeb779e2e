"""For each rule on the image that is fed, cases where it fires and cases where it just does not."""

from __future__ import annotations

from dataclasses import replace

from augviz.model import Header, ImageFacts
from tests.advising import Example, example, group, step
from tests.strategies import facts

SMALL = facts(96, 64)
GREY = facts(96, 64, 1)
ALPHA = facts(96, 64, 4)
DEEP = facts(96, 64, 3, "ushort")
FLOAT = facts(96, 64, 3, "float")

TO_FLOAT = step("ToDtype", dtype="float", scale=True)
NORMALIZE = step("Normalize", mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
NORMALIZE_5 = step("Normalize", mean=(100, 200, 300, 400, 500), std=(10, 20, 30, 40, 50))
CROP_OR_PAD = step("CropOrPad", height=80, width=120)


def file(width: int, height: int, *, region_readable: bool = False, loader: str = "jpegload") -> ImageFacts:
    """A file of three bands, a tenth of its pixels in size."""
    header = Header(width, height, 3, "uchar", "srgb")
    made = replace(facts(width, height), name="scan.jpg", loader=loader, file_bytes=width * height * 3 // 10)
    return replace(made, header=header, region_readable=region_readable)


LARGE_JPEG = file(16384, 16384)
SMALL_JPEG = file(4096, 4096)
LARGE_TILES = file(16384, 16384, region_readable=True, loader="tiffload")

INK = replace(facts(96, 64, 4), header=Header(96, 64, 4, "uchar", "cmyk"))

FIRES: dict[str, tuple[Example, ...]] = {
    "cmyk": (
        example("brightness", step("RandomBrightnessContrast"), image=INK),
        example("statistics", step("Normalize", mean=(0.5,) * 4, std=(0.2,) * 4), image=INK),
    ),
    "wide-integers": (
        example("brightness", step("RandomBrightnessContrast"), image=DEEP),
        example("brightness on grey", step("RandomBrightnessContrast"), image=facts(96, 64, 1, "ushort")),
        example("sharpening, after a flip", step("Flip"), step("Sharpen", 1.0), image=DEEP),
        example("in a group", group("OneOf", step("HEDShift"), step("Emboss")), image=DEEP),
    ),
    "float-values": (
        example("a float image", step("HueSaturationValue", 1.0), image=FLOAT),
        example("after ToDtype", TO_FLOAT, step("HEDShift"), image=SMALL),
        example("brightness after Normalize", NORMALIZE, step("RandomBrightnessContrast"), image=SMALL),
        example("after ToDtype and Normalize", TO_FLOAT, NORMALIZE, step("RandomBrightnessContrast"), image=SMALL),
    ),
    "noise-in-other-units": (
        example("16 bit", step("GaussNoise"), image=DEEP),
        example("after ToDtype", TO_FLOAT, step("GaussNoise", 1.0), image=SMALL),
    ),
    "wide-integers-kept": (example("16 bit", TO_FLOAT, image=DEEP),),
    "wide-integers-to-float": (example("16 bit", step("ChannelDropout"), image=DEEP),),
    "fill-of-255": (
        example("Rotate on 16 bit", step("Rotate"), image=DEEP),
        example("Affine on float", step("Affine"), image=FLOAT),
        example("Affine after ToDtype", TO_FLOAT, step("Affine"), image=SMALL),
        example("after Normalize", NORMALIZE, step("Affine"), image=SMALL),
        example("after both, in a group", TO_FLOAT, NORMALIZE, group("OneOf", step("Rotate"), p=0.5), image=SMALL),
        example("CropOrPad after a turn", NORMALIZE, step("Rotate"), CROP_OR_PAD, image=SMALL),
        example("after Normalize of five bands", NORMALIZE_5, step("Affine"), image=facts(96, 64, 5, "ushort")),
        example("CropOrPad on 16 bit", step("CropOrPad", height=80, width=80), image=DEEP),
        example("CropOrPad at an edge", step("CropOrPad", height=80, width=80, direction="north"), image=DEEP),
    ),
    "bands-change": (
        example("alpha is dropped", step("RandomBrightnessContrast"), image=ALPHA),
        example("noise on grey", step("GaussNoise"), image=GREY),
        example("hue on grey", step("HueSaturationValue", 1.0), image=GREY),
    ),
    "alpha-as-colour": (
        example("blurs", step("Flip"), step("Blur"), step("Sharpen"), image=ALPHA),
        example("grey with alpha", step("CoarseDropout", 1.0), image=facts(96, 64, 2)),
    ),
    "slow-file": (example("a large JPEG", step("HorizontalFlip"), image=LARGE_JPEG),),
    "sequential-access": (
        example("a flip", step("Flip"), image=LARGE_JPEG),
        example("turns", step("Affine", rotate=(-10, 10)), step("Rotate", limit=5), image=LARGE_JPEG),
        example("the mean", step("RandomBrightnessContrast", brightness_by_max=False), image=LARGE_JPEG),
        example("a mirror", step("PadIfNeeded", border_mode="mirror", value=0, min_height=20000), image=LARGE_JPEG),
        example("elastic", step("ElasticTransform", alpha=30.0, sigma=20.0), image=LARGE_JPEG),
    ),
}

SPARES: dict[str, tuple[Example, ...]] = {
    "cmyk": (
        example("only moved", step("Flip"), step("ToTensor"), image=INK),
        example("alpha is no ink", step("RandomBrightnessContrast"), image=ALPHA),
    ),
    "wide-integers": (
        example("8 bit", step("RandomBrightnessContrast"), image=SMALL),
        example("switched to what works on 16 bit", step("RandomGamma"), step("Blur"), image=DEEP),
    ),
    "float-values": (
        example("brightness from 0 to 1", TO_FLOAT, step("RandomBrightnessContrast"), image=SMALL),
        example("before ToDtype", step("HEDShift"), TO_FLOAT, image=SMALL),
        example("8 bit again", TO_FLOAT, step("ToDtype", dtype="uchar", scale=True), step("Sharpen"), image=SMALL),
    ),
    "noise-in-other-units": (
        example("8 bit", step("GaussNoise"), image=SMALL),
        example("for 0 to 1", step("GaussNoise", var_limit=(0.0, 0.01)), image=FLOAT),
        example("none", step("GaussNoise", var_limit=(0.0, 0.0)), image=DEEP),
    ),
    "wide-integers-kept": (example("8 bit", TO_FLOAT, image=SMALL), example("float", TO_FLOAT, image=FLOAT)),
    "wide-integers-to-float": (example("8 bit", step("ChannelDropout"), image=SMALL),),
    "fill-of-255": (
        example("white is 255 all the same", step("Normalize", mean=0.0, std=1.0), step("Affine"), image=SMALL),
        example("a fill that is given after Normalize", NORMALIZE, step("Affine", cval=0), image=SMALL),
        example("8 bit", step("Rotate"), image=SMALL),
        example("given", step("Rotate", value=65535), image=DEEP),
        example("not used", step("Affine", mode="mirror"), image=DEEP),
        example("no turn", step("Rotate", limit=(0.0, 0.0)), image=DEEP),
        example("only a crop", step("CropOrPad", height=64, width=96), image=DEEP),
    ),
    "bands-change": (
        example("16 bit keeps seven bands", step("RandomBrightnessContrast"), image=facts(96, 64, 7, "ushort")),
        example("colours", step("RandomBrightnessContrast"), step("GaussNoise"), image=SMALL),
        example("one noise for all bands", step("GaussNoise", per_channel=False), image=GREY),
        example("16-bit grey", step("Blur"), image=facts(96, 64, 1, "ushort")),
    ),
    "alpha-as-colour": (
        example("only flips", step("Flip"), step("RandomCrop", height=32, width=32), image=ALPHA),
        example("no alpha", step("Blur"), image=SMALL),
        example("five bands are no alpha", step("Blur"), image=facts(96, 64, 5)),
    ),
    "slow-file": (
        example("tiles", step("Flip"), image=LARGE_TILES),
        example("soon decoded", step("Flip"), image=SMALL_JPEG),
        example("unknown", step("Flip")),
    ),
    "sequential-access": (
        example("tiles", step("Flip"), image=LARGE_TILES),
        example(
            "in order", step("HorizontalFlip"), step("Blur"), step("Resize", height=99, width=99), image=LARGE_JPEG
        ),
        example("a small angle", step("Rotate", limit=0.4), step("Affine", rotate=(0.0, 0.4)), image=LARGE_JPEG),
        example("soon decoded", step("Flip"), image=SMALL_JPEG),
        example("a plain border", step("PadIfNeeded", value=0, min_width=20000), image=LARGE_JPEG),
        example("little elastic", step("ElasticTransform"), image=LARGE_JPEG),
    ),
}
