"""One visitor of the load test, and what visitors do: edit, send files, have results made, measure, end workers."""

from __future__ import annotations

import itertools
import json
import math
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from augviz import link, saved
from augviz.sources import SourceRef
from bench import hostile
from bench.beside_a_job import BRIGHTNESS, SETTLE_SECONDS
from bench.latency import PIPELINE
from bench.load_report import Found
from bench.visitor import Visitor

EVERY_SECONDS = 3.0
JOB_SECONDS = 90.0

ROLES = ("edit", "send", "make", "edit", "kill", "edit", "measure", "edit", "edit", "edit")
"""What the sessions do, over and over."""

KILLER = {"id": "end", "transform": "AdvancedBlur", "p": 1.0, "args": {"noise_limit": [0.0, 0.0]}}
"""Its kernel sums to zero, and libvips divides by it: the process ends (refused, as long as `guard` is 1)."""


@dataclass(frozen=True, slots=True)
class Session:
    """One visitor.

    Attributes:
        role: one of `ROLES`.
        rhythm: when they do what.
        limits: values of the parameter that have not been chosen yet: of the slider's steps, and none twice.
    """

    role: str
    visitor: Visitor
    found: Found
    rhythm: random.Random
    limits: list[list[float]]

    def live(self, until: float) -> None:
        """Take part until a monotonic time; every third turn is the role's. What ends it before is noted as wrong."""
        time.sleep(self.rhythm.uniform(0, EVERY_SECONDS))
        act = {"send": self.send, "make": self.make, "measure": self.measure, "kill": self.kill}.get(self.role)
        with self.found.telling(f"a session of the role {self.role}"):
            for turn in itertools.count():
                if time.monotonic() > until:
                    break
                if act is not None and (turn % 3 == 2 or self.role == "kill"):
                    act()
                else:
                    self.edit()

    def edit(self) -> None:
        """Change a parameter, ask for what the page asks for, and wait until the next change is due."""
        due, started = time.monotonic() + EVERY_SECONDS * self.rhythm.uniform(0.8, 1.2), time.perf_counter()
        visitor = self.visitor
        visitor.catch_up()
        visitor.run(BRIGHTNESS, double_array_value=self.limits.pop())
        visitor.told()
        self._look("quick", 512, started)
        visitor.until_run()
        time.sleep(SETTLE_SECONDS)
        self._look("fine", 1024, started, until=due)
        self._hear("the page")
        time.sleep(max(0.0, due - time.monotonic()))

    def send(self) -> None:
        """Send one of the files as the page does, and look at what comes of it."""
        visitor = self.visitor
        with tempfile.TemporaryDirectory() as folder:
            files = hostile.files(Path(folder), self.rhythm.randrange(1 << 30))
        name = self.rhythm.choice(list(files))
        visitor.act("explore.change_image", trigger_value=True)
        visitor.act("explore.image_tabs", string_value="Upload")
        address = f"{visitor.parts['augviz_uploader']['address']}?name={quote(name)}"
        status, body = visitor.ask("PUT", address, files[name])
        self.found.answered(self.role, f"sending {name}", status, body)
        if status == 200:
            visitor.tell("augviz_uploader", "done", {"id": json.loads(body)["id"], "alone": True, "left": 0})
            self._hear(f"opening {name}")
            if name in hostile.VALID and visitor.data["name"] != name:
                self.found.wrong(f"opening {name}: the page shows {visitor.data['name']}")
        self.edit()

    def make(self) -> None:
        """Have the full-size result made and take it away; some are cancelled."""
        visitor, found = self.visitor, self.found
        visitor.act("explore.details", string_value="Save")
        visitor.act("explore.save.make", trigger_value=True)
        if self.rhythm.random() < 1 / 3 and "explore.save.cancel" in visitor.widgets:
            time.sleep(self.rhythm.uniform(0.0, 1.0))
            visitor.act("explore.save.cancel", trigger_value=True)
            found.count("full-size results given up")
        for address in self._made():
            status, body = visitor.ask("GET", address)
            found.answered(self.role, "a full-size result", status, body)
            visitor.act(f"explore.save.delete.{address.rsplit('/', 1)[1]}", trigger_value=True)
        self._hear("a full-size result")
        visitor.act("explore.details", string_value="Drawn values")
        self.edit()

    def _made(self) -> list[str]:
        """Where the result can be had, once it is there; nothing where the page says why it is not."""
        visitor, end = self.visitor, time.monotonic() + JOB_SECONDS
        while time.monotonic() < end:
            visitor.links.clear()
            self._run()
            made = [address for address in visitor.links.values() if "/augviz/file/" in address]
            if made or visitor.said:
                return made
            time.sleep(0.5)
        self.found.wrong("a full-size result has neither come nor failed in time")
        return []

    def measure(self) -> None:
        """Start a measurement on its page, watch it for some seconds, cancel it if it still runs, and go back."""
        visitor = self.visitor
        visitor.go("measure")
        visitor.act("measure.start", trigger_value=True)
        for _ in range(self.rhythm.randrange(1, 8)):
            time.sleep(1)
            self._run()
        if "measure.cancel" in visitor.widgets:
            self.found.count("measurements begun")
            visitor.act("measure.cancel", trigger_value=True)
        self._run()
        self._hear("a measurement")
        visitor.go()
        self.edit()

    def kill(self) -> None:
        """Edit where each draw ends the process of a worker; less often than the others."""
        self.edit()
        time.sleep(2 * EVERY_SECONDS)

    def _look(self, quality: str, side: int, started: float, until: float = math.inf) -> None:
        answer = self.visitor.answer(quality, side, until)
        if answer is None:
            self.found.count(f"{quality} picture: given up for the next change")
            return
        if answer[0] == 200:
            self.found.took(quality, (time.perf_counter() - started) * 1000)
        self.found.answered(self.role, f"{quality} picture", *answer)

    def _run(self) -> None:
        self.visitor.catch_up()
        self.visitor.run()
        self.visitor.until_quiet()

    def _hear(self, what: str) -> None:
        """Note what the page has said meanwhile."""
        visitor = self.visitor
        for text in visitor.said:
            self.found.said(self.role, what, text)
        for text in visitor.failed:
            self.found.wrong(f"{what} shows an exception: {text}")
        visitor.said.clear()
        visitor.failed.clear()


def session_of(role: str, visitor: Visitor, found: Found, number: int) -> Session:
    """A session whose rhythm and values are its number's."""
    rhythm = random.Random(number)
    limits = [[-low / 100, high / 100] for low in range(1, 41) for high in range(1, 41)]
    rhythm.shuffle(limits)
    return Session(role, visitor, found, rhythm, limits)


def query_of(path: Path, role: str, seed: int) -> str:
    """What opens the image and the role's pipeline in Explore, after the "?" of the address."""
    pipeline, source = json.loads(PIPELINE), SourceRef("path", path.name)
    if role == "kill":
        pipeline["steps"].append(KILLER)
        source = SourceRef("sample", "astronaut")  # shown at its full size: away from it augviz blurs by itself
    return f"s={link.encode(source, saved.load(pipeline), seed)}"
