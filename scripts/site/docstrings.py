"""An extension of griffe, which mkdocstrings reads docstrings with: `Example:` opens a section."""

import griffe


class Examples(griffe.Extension):
    """In griffe's Google style only `Examples:` does, and its text is indented."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Rewrite the docstring of one name."""
        if obj.docstring:
            obj.docstring.value = with_sections(obj.docstring.value)


def with_sections(text: str) -> str:
    """The docstring, what follows `Example:` indented below `Examples:`."""
    before, opening, after = text.partition("\nExample:\n")
    if not opening:
        return text
    indented = "".join(f"    {line}" if line.strip() else line for line in after.splitlines(keepends=True))
    return f"{before}\nExamples:\n{indented.lstrip(chr(10))}"
