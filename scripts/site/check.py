"""`python -m scripts.site.check build/site`: every link leads somewhere, and nothing comes from elsewhere."""

import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, and not only when somebody follows a link.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NOT_FETCHED = {"canonical", "next", "prev"}  # kinds of <link>


class Page(HTMLParser):
    """The anchors of a page, what it links to, and what it fetches."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Take down one element."""
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        address = found.get(FETCHED.get(tag, ""))
        if address is not None and found.get("rel") not in NOT_FETCHED:
            self.fetched.add(address)


def problems(site: Path) -> Iterator[str]:
    """A line for each link that leads nowhere and each file that would be fetched from elsewhere."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site)
        for address in sorted(page.fetched):
            if urlsplit(address).netloc:
                yield f"{name}: would fetch {address}"
        # The page for what is not found is served at any path: its addresses begin at the root.
        folder = site if name.name == "404.html" else path.parent
        for address in sorted(page.links | page.fetched):
            if not _leads_somewhere(address, folder, path, pages):
                yield f"{name}: nothing is at {address}"


def _leads_somewhere(address: str, folder: Path, page: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return True
    target = (folder / unquote(parts.path).lstrip("/")).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    anchor = unquote(parts.fragment)
    return target.is_file() and (not anchor or target not in pages or anchor in pages[target].anchors)


def main(site: Path) -> int:
    """Print what is wrong; returns the exit code."""
    found = list(problems(site.resolve()))
    print("\n".join(found) or "every link leads somewhere, and nothing is fetched from elsewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
