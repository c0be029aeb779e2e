"""How many times as long each transform takes on float32 as on uint8: CPU time, by `python -m bench.float_cost`.

Medians of 7 on 2048 x 2048 px of photographs (ElasticTransform: 512 x 512), with what the editor begins with, on two cores of
an x86-64 with AVX-512; albumentationsxl 0.1.2, pyvips 2.2.3, libvips 8.18.7. libvips blurs 8 bit by vector instructions
and whole numbers, hence the largest ratios.
"""

from __future__ import annotations

from collections.abc import Mapping

FLOAT_RATIOS: Mapping[str, float] = {
    "RandomBrightnessContrast": 5.3,
    "HueSaturationValue": 2.7,
    "RandomGamma": 16,
    "HEDShift": 0.92,
    "Blur": 13,
    "GaussianBlur": 19,
    "MedianBlur": 1.2,
    "MotionBlur": 5.9,
    "AdvancedBlur": 4.8,
    "Sharpen": 1.1,
    "Emboss": 1.1,
    "GaussNoise": 1,
    "HorizontalFlip": 1.4,
    "VerticalFlip": 2,
    "Flip": 1.7,
    "Transpose": 1.3,
    "Rotate": 1.1,
    "Affine": 0.9,
    "ElasticTransform": 1,
    "RandomCrop": 1.5,
    "CenterCrop": 1.8,
    "Crop": 1.6,
    "CropOrPad": 1.9,
    "PadIfNeeded": 1.9,
    "Resize": 4.5,
    "LongestMaxSize": 4.8,
    "SmallestMaxSize": 4.6,
    "RandomScale": 0.85,
    "CoarseDropout": 1.9,
    "GridDropout": 1.8,
    "ChannelDropout": 0.25,
    "NoOp": 1.5,
}
