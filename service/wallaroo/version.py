"""Which version of this package is installed."""

_PACKAGE = "wallaroo-kafka"


def installed_version() -> str:
    """The version that git's tags gave the build; "unknown" where sources run that are not installed."""
    # Here, for `import wallaroo` alone need not wait for it.
    from importlib import metadata  # noqa: PLC0415

    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        return "unknown"
