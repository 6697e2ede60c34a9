"""Another module of that application."""

lines: list[str] = []
