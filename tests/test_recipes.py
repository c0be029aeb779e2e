"""Recipes and their keys."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from augviz.recipes import Recipes, lookup, recipe_of, register

PIPELINE = {"format": 1, "input": {"bands": 3}, "steps": [{"id": "a", "transform": "Rotate", "args": {"limit": 20}}]}


def test_a_registered_recipe_is_found_by_its_key() -> None:
    recipe = recipe_of("a.tif", PIPELINE, 3)

    assert lookup(register(recipe)) == recipe


def test_an_unknown_key_finds_nothing() -> None:
    assert lookup("0" * 24) is None


def test_the_same_recipe_has_the_same_key() -> None:
    table = Recipes()
    turned = dict(reversed(PIPELINE.items()))

    assert table.register(recipe_of("a.tif", PIPELINE, 3)) == table.register(recipe_of("a.tif", turned, 3))


@pytest.mark.parametrize("change", [{"path": "b.tif"}, {"seed": 4}, {"pipeline": "{}"}, {"stamp": "1-2"}])
def test_another_recipe_has_another_key(change: dict[str, object]) -> None:
    table = Recipes()
    recipe = recipe_of("a.tif", PIPELINE, 3)

    assert table.register(replace(recipe, **change)) != table.register(recipe)


def test_a_file_written_anew_has_another_key(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    before = register(recipe_of(path))
    path.write_bytes(b"three")

    assert register(recipe_of(path)) != before


def test_a_key_cannot_be_worked_out_from_the_recipe() -> None:
    recipe = recipe_of("a.tif", PIPELINE, 3)

    assert Recipes().register(recipe) != Recipes().register(recipe)


def test_the_least_recently_used_recipe_is_forgotten_first() -> None:
    table = Recipes(max_recipes=2)
    first, second = (table.register(recipe_of("a.tif", PIPELINE, seed)) for seed in (1, 2))
    table.lookup(first)
    table.register(recipe_of("a.tif", PIPELINE, 3))

    assert table.lookup(first) is not None
    assert table.lookup(second) is None


def test_the_worker_gets_the_saved_form_and_its_input() -> None:
    assert recipe_of("a.tif", PIPELINE, 3).args() == {
        "path": "a.tif",
        "input": {"bands": 3},
        "pipeline": PIPELINE,
        "seed": 3,
    }


def test_threads_may_register_at_once() -> None:
    table = Recipes(max_recipes=50)
    recipes = [recipe_of("a.tif", PIPELINE, seed) for seed in range(500)]
    with ThreadPoolExecutor(4) as threads:
        keys = list(threads.map(lambda _: [table.register(recipe) for recipe in recipes], range(4)))

    assert keys == [keys[0]] * 4
    assert sum(table.lookup(key) is not None for key in keys[0]) == 50
