"""The criteria book as a page to print on A4 and sign."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from markdown_it import MarkdownIt
from markupsafe import Markup

from rules import engine
from rules.book import book
from transforms.publish.pages import environment
from transforms.store import csv_frame

LINK_OUT = re.compile(r"\[([^\]]+)\]\((?!#)[^)]*\)")  # to a file beside the book, which a page alone does not have


def book_page(lang: str, values: Mapping[str, str]) -> str:
    """The book with a site's parameters as a self-contained page, in English (``en``) or Chinese (``zh``)."""
    words = dict(csv_frame(engine.PACKAGE, "messages.csv").select("key", lang).iter_rows())
    markdown = MarkdownIt().enable("table")
    tokens = markdown.parse(LINK_OUT.sub(r"\1", book(lang, values)))
    headings = [(opened, inside.content) for opened, inside in pairwise(tokens) if opened.type == "heading_open"]
    for opened, text in headings:
        opened.attrSet("id", anchor(text))
    body = Markup(markdown.renderer.render(tokens, markdown.options, {}))  # of texts that ship with the project and checked parameters
    return environment(words).get_template("book.html").render(title=headings[0][1], body=body)


def anchor(heading: str) -> str:
    """The name by which links of the book point to a heading."""
    return re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))
