"""What every address may use: the working folder, who the owner is, whose turn it is to compute, the tracer, the jobs; opened once."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from starlette.datastructures import Headers
from starlette.requests import Request

from peephole.base.errors import InputError, OutputError
from peephole.explain.openmodel import OpenModel, open_model
from peephole.explain.trace import Tracer
from peephole.lab.shipped import shipped
from peephole.studio.auth import Auth
from peephole.studio.guard import visitor_of
from peephole.studio.jobs import Jobs
from peephole.studio.shelf import Shelf
from peephole.studio.traces import Traces
from peephole.studio.turns import Turns
from peephole.studio.workshop import SHIPPED, Workshop

__all__ = ["House"]

STATE = ".peephole-studio"
T = TypeVar("T")


@dataclass(eq=False)
class House:
    """The parts behind the page; `state` is the folder that it keeps for itself, readable by its user alone."""

    workshop: Workshop
    state: Path
    tracer: Tracer = field(default_factory=Tracer)
    traces: Traces = field(default_factory=Traces)
    maps: Shelf[Any] = field(default_factory=lambda: Shelf(4))
    examined: Shelf[Any] = field(default_factory=lambda: Shelf(3))
    reports: Shelf[tuple[str, str, bool]] = field(default_factory=lambda: Shelf(12))  # page, numbers, whether anyone may read it
    auth: Auth = field(init=False)
    jobs: Jobs = field(init=False)
    tools: asyncio.Lock = field(default_factory=asyncio.Lock)  # one child that trains to look at a set, at a time
    turn: threading.Lock = field(default_factory=threading.Lock)
    # Visitors have a line for what is quick (a class that draws at the same time) and one for what takes seconds; the owner waits for neither.
    owners: Turns = field(default_factory=lambda: Turns(3, 100))
    quick: Turns = field(default_factory=lambda: Turns(1, 60))
    long: Turns = field(default_factory=lambda: Turns(1, 12))
    _open: dict[tuple[str, int, int], OpenModel] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> "House":
        """Open a working folder; raises MissingInput and OutputError."""
        workshop = Workshop(folder, {"x-or-o": shipped()})
        state = workshop.folder / STATE
        try:
            state.mkdir(mode=0o700, exist_ok=True)
            if state.is_symlink():
                raise OutputError(f"{state} is a link to another place", f"remove it: rm {state}")
            # What is kept here belongs into no repository.
            (state / ".gitignore").write_text("*\n", "utf-8")
        except OSError as error:
            raise OutputError(
                f"{state} cannot be written: {error.strerror or error}", "choose a folder that you can write to: peephole studio FOLDER"
            ) from error
        house = cls(workshop, state)
        house.jobs = Jobs(state / "jobs", workshop.folder)
        return house

    def owns(self, request: Request) -> bool:
        """Whether the request comes from the owner."""
        return self.auth.is_owner(visitor_of(Headers(scope=request.scope)))

    async def compute(self, request: Request, work: Callable[[], T], *, long: bool = False) -> T:
        """Return what `work` gives, on a thread and in turn; `long` is what may take seconds. Raises Busy, and what the work raises."""
        return await (self.owners if self.owns(request) else self.long if long else self.quick).take(work)

    def model(self, request: Request, name: str) -> OpenModel:
        """Return the model of that id; a visitor who is not the owner sees the shipped ones alone. Raises InputError and what reading raises."""
        if not name.startswith(SHIPPED) and not self.owns(request):
            raise InputError("only whoever gave the code may see this model", "give the code that stands in the terminal")
        path = self.workshop.model(name)
        facts = path.stat()
        key = (str(path), facts.st_mtime_ns, facts.st_size)
        with self.turn:
            if key not in self._open:
                if len(self._open) >= 4:
                    self._open.pop(next(iter(self._open)))
                self._open[key] = open_model(path)
            return self._open[key]
