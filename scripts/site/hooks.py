"""What `make site` does beside MkDocs: pages from the root, and links to files that are no pages."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

ROOT = Path(__file__).parents[2]
# Pages of the site that are not in docs/.
FROM_ROOT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def on_files(files, config):
    """Add the pages of the root."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - installed where MkDocs runs

    for name in FROM_ROOT:
        files.append(File.generated(config, name, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown, page, **_):
    """Let every link lead to a page, and those to other files of the repository be their text."""
    name = page.file.src_uri
    return with_links_for_site(markdown, name if name in FROM_ROOT else f"docs/{name}")


def with_links_for_site(markdown: str, source: str) -> str:
    """The text of a page, whose path in the repository is `source`, with links that hold in the site."""
    parts = FENCE.split(markdown)
    outside = [LINK.sub(lambda found: _link(found, source), part) for part in parts[::2]]
    return "".join(text for pair in zip(outside, [*parts[1::2], ""], strict=True) for text in pair)


def _link(found: Mapping[int, str], source: str) -> str:
    text, target, anchor = found[1], found[2], found[3] or ""
    path = normpath(PurePosixPath(source).parent / target)
    page = _page(path)
    if page is not None:
        return f"[{text}]({relpath(page, PurePosixPath(_page(source)).parent)}{anchor})"
    # A file without a page; what does not exist is left for MkDocs to refuse.
    return text if (ROOT / path).exists() else found[0]


def _page(path: str) -> str | None:
    """The path of a file below the site, if it is in the site."""
    if path in FROM_ROOT:
        return path
    if path == "README.md":
        return "README.md"
    below = path.removeprefix("docs/")
    return below if below != path and (ROOT / path).is_file() else None
