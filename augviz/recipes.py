"""What a picture is made from, and the address that stands for it.

The key of a recipe is unguessable (it is signed with the server's secret) and bound to the visitor on whose page it stands:
nobody else can ask for it, and no address names a file.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augviz import visitors
from augviz.once import Once

MAX_RECIPES = 20_000
"""Recipes that are remembered, a few hundred bytes each; the least recently used goes first."""

KEY_LENGTH = 24
EMPTY_PIPELINE: Mapping[str, Any] = {"format": 1, "steps": []}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Image, pipeline and seed: all that decides what a picture shows. Made by `recipe_of`.

    Attributes:
        path: the image file.
        stamp: the file's size and time of change, so that a file written anew has another key; "" if it is not there.
        pipeline: the saved form with its `input`, as canonical JSON.
        seed: which draw.
    """

    path: str
    stamp: str
    pipeline: str
    seed: int

    def args(self) -> dict[str, Any]:
        """The arguments of the worker functions: path, input, pipeline (saved form), seed."""
        pipeline = json.loads(self.pipeline)
        return {"path": self.path, "input": pipeline.get("input", {}), "pipeline": pipeline, "seed": self.seed}


def recipe_of(path: str | Path, pipeline: Mapping[str, Any] = EMPTY_PIPELINE, seed: int = 0) -> Recipe:
    """The recipe of an image file, a pipeline in the saved form, and a seed."""
    text = json.dumps(pipeline, sort_keys=True, separators=(",", ":"))
    return Recipe(str(path), _stamp(path), text, seed)


class Recipes:
    """A bounded table from key to recipe, safe between threads.

    Args:
        max_recipes: how many are remembered.
        secret: what keys are signed with; None is random bytes.
    """

    def __init__(self, max_recipes: int = MAX_RECIPES, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(32)
        self._max_recipes = max_recipes
        self._lock = threading.Lock()
        self._recipes: OrderedDict[str, tuple[str, Recipe]] = OrderedDict()  # with their visitors

    def register(self, recipe: Recipe, visitor: str = "") -> str:
        """Remember the recipe for a visitor; returns its key, the same one each time."""
        text = json.dumps([visitor, recipe.path, recipe.stamp, recipe.pipeline, recipe.seed]).encode()
        key = hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:KEY_LENGTH]
        with self._lock:
            self._recipes[key] = visitor, recipe
            self._recipes.move_to_end(key)
            if len(self._recipes) > self._max_recipes:
                self._recipes.popitem(last=False)
        return key

    def lookup(self, key: str, visitor: str = "") -> Recipe | None:
        """The recipe of a key, None if it was never registered, has been forgotten, or is another visitor's."""
        with self._lock:
            whose, recipe = self._recipes.get(key, ("", None))
            if recipe is None or whose != visitor:
                return None
            self._recipes.move_to_end(key)
            return recipe


def _stamp(path: str | Path) -> str:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):  # opening the image will say what is wrong
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"


@Once
def _server_table() -> Recipes:
    return Recipes(secret=visitors.secret())


def register(recipe: Recipe, visitor: str = "") -> str:
    """Remember the recipe for a visitor in the server's table; returns its key."""
    return _server_table().register(recipe, visitor)


def lookup(key: str, visitor: str = "") -> Recipe | None:
    """The visitor's recipe of a key in the server's table, None if there is none."""
    return _server_table().lookup(key, visitor)
