"""Names on the cluster, made from the names that the user gives, never from positions or counters."""

import re

from wallaroo.errors import TopologyError

_LONGEST_TOPIC_NAME = 249
_ILLEGAL = re.compile(r"[^a-z0-9]+")


def slug(name: str) -> str:
    """Reduce a name to characters that Kafka allows; raises TopologyError if none are left."""
    made = _ILLEGAL.sub("-", name.lower()).strip("-")
    if not made:
        raise TopologyError(
            f"the name {name!r} has no letter or digit of a-z, 0-9 to make a topic name of; give it one"
        )
    return made


class Names:
    """The names that one application uses on a cluster, each at most once."""

    def __init__(self, application_id: str) -> None:
        self._application_id = application_id
        self._owners: dict[str, str] = {}

    def free(self, name: str) -> bool:
        return name not in self._owners

    def take(self, name: str, owner: str) -> str:
        """Claim a name for an owner; raises TopologyError if another has it."""
        if name in self._owners:
            raise TopologyError(
                f"{owner} and {self._owners[name]} would both be called {name!r} on the cluster; "
                "rename one of them"
            )
        self._owners[name] = owner
        return name

    def claim(self, name: str, kind: str, owner: str) -> str:
        """Claim `<name>-<kind>` for an owner, and return the internal topic of that name."""
        self.take(f"{name}-{kind}", owner)
        return self.topic(name, kind)

    def topic(self, name: str, kind: str) -> str:
        """Return the internal topic `<application id>-<name>-<kind>`."""
        return self._bounded(f"{self._application_id}-{name}-{kind}")

    def group(self, name: str) -> str:
        return self._bounded(f"{self._application_id}-{name}")

    def dead_letters(self) -> str:
        return self._bounded(f"{self._application_id}-dlq")

    def _bounded(self, name: str) -> str:
        if len(name) > _LONGEST_TOPIC_NAME:
            raise TopologyError(
                f"{name!r} has {len(name)} characters; Kafka allows {_LONGEST_TOPIC_NAME}: "
                "shorten the application id or the stage's name"
            )
        return name
