"""Self-contained HTML pages in the run's language: templates with autoescape, the run's words, one style, no request, no script."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from transforms.store import resource

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = "transforms.publish"
ARGUMENT = re.compile(r"\{(\d)\}")


def environment(words: Mapping[str, str]) -> Environment:
    """The templates with ``t(key, ...)``, which says a word of run.messages (KeyError: no such key), and the style with its hash.

    An undefined name is an error; None is written as nothing.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=FunctionLoader(lambda name: resource(TEMPLATES, "templates", name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: "" if value is None else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = resource(TEMPLATES, "templates", "style.css").read_text(encoding="utf-8")
    templates.globals["style"] = {"css": Markup(css), "sha256": Markup(f"sha256-{b64encode(sha256(css.encode()).digest()).decode()}")}
    templates.globals["t"] = speaker(words)
    return templates


def speaker(words: Mapping[str, str]) -> Callable[..., str]:
    """What says a word of the catalogue with its arguments. KeyError: no such key."""
    return lambda key, *values: said(words[key], *values)


def said(text: str, *values: Any) -> str:
    """A sentence of the catalogue with its arguments in the places {1}, {2} and so on."""
    return ARGUMENT.sub(lambda place: str(values[int(place[1]) - 1]), text)
