"""Check the links of the built documentation, without a network.

    python docs/check_links.py docs/_build/html

Every page, picture and anchor that a page points to must be there. Addresses of other sites are
only looked at for their form. Faults are listed on standard error; the exit status is then 1.
"""

from __future__ import annotations

import os
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

__all__ = ["Page", "find_faults"]

_OTHER_SCHEMES = {"mailto", "data"}


class Page(HTMLParser):
    """Links and anchors of an HTML text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"", "top"}  # both stand for the beginning of a page
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element points to, and what can point to it."""
        values = {name: value for name, value in attrs if value is not None}
        self.links += [values[name] for name in ("href", "src") if name in values]
        candidates = [candidate.split() for candidate in values.get("srcset", "").split(",")]
        self.links += [words[0] for words in candidates if words]
        self.anchors.add(values.get("id", ""))
        if tag == "a":
            self.anchors.add(values.get("name", ""))


def find_faults(folder: Path) -> list[str]:
    """Describe each link, in any page of a folder, that leads nowhere."""
    root = Path(os.path.abspath(folder))
    # What lies in _static belongs to the theme, templates among it; no page of ours does.
    paths = [path for path in root.rglob("*.html") if path.relative_to(root).parts[0] != "_static"]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(paths)}
    return [
        f"{path.relative_to(root).as_posix()}: {link!r} {fault}"
        for path, page in pages.items()
        for link in dict.fromkeys(page.links)
        if (fault := _fault(link, path, root, pages))
    ]


def _fault(link: str, source: Path, root: Path, pages: dict[Path, Page]) -> str | None:
    """What is wrong with a link of a page."""
    try:
        parts = urlsplit(link)
    except ValueError as error:
        return f"is no address ({error})"
    if parts.scheme or parts.netloc:
        return None if _is_well_formed(parts) else "is no address"
    if parts.path.startswith("/"):
        return "begins at the root of the server, wherever the documentation lies"
    target = source
    if parts.path:
        target = Path(os.path.normpath(source.parent / unquote(parts.path)))
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(root):
        return "leads out of the documentation"
    if not target.is_file():
        return "is not there"
    if target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return "has no such anchor"
    return None


def _is_well_formed(parts: SplitResult) -> bool:
    if parts.scheme in _OTHER_SCHEMES:
        return bool(parts.path)
    has_host = bool(parts.hostname) and not set(parts.netloc + parts.path) & set(' <>"')
    return parts.scheme in {"http", "https", ""} and has_host


def main(arguments: list[str]) -> None:
    """Check the folder named on the command line."""
    if len(arguments) != 1 or not (Path(arguments[0]) / "index.html").is_file():
        raise SystemExit("Give one folder with an index.html: docs/_build/html.")
    faults = find_faults(Path(arguments[0]))
    if faults:
        raise SystemExit("\n".join([*faults, f"Links that lead nowhere: {len(faults)}."]))


if __name__ == "__main__":
    main(sys.argv[1:])
