"""augviz: explore image augmentations on very large images, and take them away as code."""

__version__ = "0.1.0"
