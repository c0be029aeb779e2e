"""The documents hold: their code runs, their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import pyvips

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_readme_s_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    pyvips.Image.black(300, 200, bands=3).copy(interpretation="srgb").tiffsave(str(tmp_path / "slide.tif"), tile=True)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)  # the document's own code

    assert -90 <= names["angle"] <= 90
    assert (tmp_path / "corner.png").stat().st_size > 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_the_project_leads_to_a_file(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text())

    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_module_that_a_document_names_exists(document: Path) -> None:
    if document.name == "architecture.md":
        names = re.findall(r"`(\w+\.py)`", document.read_text())
        known = {path.name for path in [*ROOT.glob("*.py"), *(ROOT / "augviz").rglob("*.py")]}

        assert [name for name in names if name not in known] == []
    else:
        names = re.findall(r"`((?:augviz|tests|docs|bench|pages)/[\w./]+\.\w+)`", document.read_text())

        assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_architecture_names_every_module_of_the_core() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    modules = [path.name for path in (ROOT / "augviz").glob("*.py") if path.name != "__init__.py"]

    assert [name for name in modules if f"`{name}`" not in text] == []
