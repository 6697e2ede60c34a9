"""Owners: which other instance owns a partition, and what it says about a key.

Kafka knows who owns what: the members of the group, with their client ids. These name the instance, and also
where its pages are if the setting `advertised_http` says so. Otherwise whoever asks is told whom to ask.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from confluent_kafka import KafkaException

from wallaroo.kafka.members import Member, Owner, owner_of, reason_of
from wallaroo.observability.answers import NoSuchKey, StateAnswer, StateUnavailable
from wallaroo.observability.forward import ask_instance
from wallaroo.observability.token import Token
from wallaroo.service.queries import Question

Members = Callable[[str], Iterable[Member]]
"""From a group to its members."""


class OtherInstances:
    """Answers for the partitions that this instance does not own."""

    def __init__(
        self,
        members: Members,
        application_id: str,
        instance: str,
        token: Token | None,
        ask: Callable[..., StateAnswer] = ask_instance,
    ) -> None:
        self._members = members
        self._application_id = application_id
        self._instance = instance
        self._token = token
        self._ask = ask

    def state(self, question: Question) -> StateAnswer:
        """Ask every owner of the partitions; a text that names them if one cannot be asked."""
        try:
            members = list(self._members(question.sub.group))
        except (KafkaException, TimeoutError) as error:
            return StateUnavailable(
                f"{question.where(question.partitions)} is not of this instance, and Kafka does not say "
                f"whose: {reason_of(error)}; ask the other instances"
            )
        answers = [self._ask_owner(question, *found) for found in self._owners(question, members).items()]
        others = [answer for answer in answers if not isinstance(answer, NoSuchKey)]
        # The state first, if one has it.
        others.sort(key=lambda answer: isinstance(answer, StateUnavailable))
        return others[0] if others else NoSuchKey()

    def _owners(self, question: Question, members: Iterable[Member]) -> dict[Owner | None, set[int]]:
        prefix, topic = f"{self._application_id}-{question.sub.name}-", question.sub.input.topic
        by_place = {place: owner_of(member, prefix) for member in members for place in member.partitions}
        owners: defaultdict[Owner | None, set[int]] = defaultdict(set)
        for number in sorted(question.partitions):
            owners[by_place.get((topic, number))].add(number)
        return owners

    def _ask_owner(self, question: Question, owner: Owner | None, partitions: set[int]) -> StateAnswer:
        where = question.where(partitions)
        if owner is None:
            return StateUnavailable(f"{where} is moving, and has no owner yet; ask again in a moment")
        if owner.instance == self._instance:
            return StateUnavailable(
                f"{where} belongs to worker {owner.worker} of this instance, which does not answer or is "
                "still taking it over; ask again in a moment, or look at its log"
            )
        if owner.url:
            return self._ask(self._token, owner.url, owner.instance, question.store, question.key, partitions)
        return StateUnavailable(
            f"{where} belongs to instance {owner.instance!r} (worker {owner.worker}, host {owner.host}); ask "
            "its page, or set advertised_http there, so that it is asked from here"
        )
