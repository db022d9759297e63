"""What every command prints by: stdout is data, stderr is for people."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

MAX_CHARACTERS = 500  # of a line on stderr
PATIENCE = 2  # seconds before a progress bar shows
VERDICTS = (("NOT_CERTIFIED", "bold red"), ("INDETERMINATE", "bold yellow"), ("CERTIFIED", "bold green"))


def print_text(text: str) -> None:
    """Text to stdout; the verdict in colour where the terminal has it (rich respects NO_COLOR)."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    shown = Text(text)
    for word, style in VERDICTS:
        if text.startswith(word):
            shown.stylize(style, 0, len(word))
            break
    console.print(shown)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def tell(message: object) -> None:
    """One line on stderr, without the line breaks and escape sequences of what it quotes, and not at any length."""
    text = one_line(str(message))
    try:
        print(text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…", file=sys.stderr, flush=True)
    except OSError:  # stderr is closed too; the exit code remains
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Discard what is still buffered for a stream that cannot be written to: Python would try again when it
    exits, and return a code of its own."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def fail(problem: object, code: int) -> int:
    """Say on stderr what is wrong; returns the exit code."""
    tell(f"plumbline: {problem}")
    return int(code)


def one_line(text: str) -> str:
    """The text with what is not printable written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on stderr for work that takes longer than PATIENCE; none if stderr is not a terminal.

    Yields a function of the task, how much of it is done, and its size (0: unknown, and the bar only moves).
    """
    if not sys.stderr.isatty():
        yield None
        return
    from threading import Timer

    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, visible=False, total=None)
        timer = Timer(PATIENCE, bar.update, (task,), {"visible": True})
        timer.daemon = True
        timer.start()

        def advance(description: str, done: int, total: int) -> None:
            bar.update(task, description=description, completed=done, total=total or None)

        try:
            yield advance
        finally:
            timer.cancel()
