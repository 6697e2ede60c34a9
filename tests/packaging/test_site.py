"""What `make site` does beside MkDocs: links out of docs/, and the check of what was built."""

import pytest

from scripts.site.check import problems
from scripts.site.hooks import with_links_for_site

PAGE = "docs/tutorial/deploying.md"


@pytest.mark.parametrize(
    ("link", "becomes"),
    [
        ("[upgrading](upgrading.md#forms)", "[upgrading](upgrading.md#forms)"),
        ("[settings](../settings.md)", "[settings](../settings.md)"),
        ("[all](../README.md)", "[all](../README.md)"),
        ("[how](../../CONTRIBUTING.md#style)", "[how](../CONTRIBUTING.md#style)"),
        ("[`versions`](../../requirements/runtime.txt)", "`versions`"),
        ("[here](#settings)", "[here](#settings)"),
        ("[there](https://kafka.apache.org/x.md)", "[there](https://kafka.apache.org/x.md)"),
        ("[gone](../gone.md)", "[gone](../gone.md)"),
        (
            "```\n[code](../../requirements/runtime.txt)\n```",
            "```\n[code](../../requirements/runtime.txt)\n```",
        ),
    ],
)
def test_a_link_leads_to_a_page_or_is_its_text(link, becomes):
    assert with_links_for_site(link, PAGE) == becomes


def test_a_page_of_the_root_links_to_pages_of_docs():
    text = "[a](docs/glossary.md), [b](service/wallaroo/api), [c](docs/decisions/README.md), [d](README.md)"
    expected = "[a](glossary.md), b, [c](decisions/README.md), [d](README.md)"
    assert with_links_for_site(text, "CONTRIBUTING.md") == expected


@pytest.fixture
def site(tmp_path):
    """A site of two pages, and a function that writes into the first."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "other.html").write_text('<h1 id="top">Other</h1><a href="../index.html">up</a>')

    def write(body):
        (tmp_path / "index.html").write_text(body)
        return list(problems(tmp_path))

    return write


@pytest.mark.parametrize(
    "body",
    [
        '<a href="below/other.html#top">',
        '<i id="a b"><a href="#a%20b">',
        '<a href="https://kafka.apache.org">',
    ],
)
def test_a_link_that_leads_somewhere_is_no_problem(site, body):
    assert site(body) == []


@pytest.mark.parametrize("address", ["gone.html", "below/other.html#gone", "#gone", "below"])
def test_a_link_that_leads_nowhere_is_named(site, address):
    assert site(f'<a href="{address}">') == [f"index.html: nothing is at {address}"]


@pytest.mark.parametrize(
    "element", ['script src="ADDRESS"', 'img src="ADDRESS"', 'link rel="stylesheet" href="ADDRESS"']
)
@pytest.mark.parametrize("address", ["https://cdn.example/x", "//cdn.example/x"])
def test_what_a_browser_would_fetch_from_elsewhere_is_named(site, element, address):
    assert site(f"<{element.replace('ADDRESS', address)}>") == [f"index.html: would fetch {address}"]
