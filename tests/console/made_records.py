"""Dead letters and results without a Kafka: what would be said of some that a test has put there."""

from wallaroo.errors import KafkaSetupError
from wallaroo.observability.console.records import BusyError

BASE_MS = 1_796_103_000_000


def letter(
    offset, stage, error, message, key="rex", content='{"user":"rex","amount":[1,{"n":12345678901234567890}]}'
):
    kind = "json" if content.startswith("{") else "bytes"
    return {
        "place": f"{offset % 4}@{offset}",
        "time": BASE_MS - offset * 61_000,
        "became": None,
        "became_at": None,
        "sent_to": None,
        "replays": 0,
        "stage": stage,
        "error": error,
        "message": message,
        "key": key,
        "failed_at": f"many-user-repartition[{offset % 4}]@{offset * 3}",
        "source": f"input-1[{offset % 4}]@{offset * 7}",
        "record_time": BASE_MS - offset * 61_500,
        "truncated": "",
        "headers": [["trace", "0af7651916cd43dd8448eb211c80319c"], ["__streams.errors.stage", stage]],
        "content": {"kind": kind, "text": content, "size": len(content), "is_cut": False},
    }


class MadeRecords:
    """What is dropped or replayed is so at the second look, as if it took a moment."""

    def __init__(self, letters=(), results=()):
        self.letters = {each["place"]: each for each in letters}
        self.newest = list(results)
        self.refused = {}
        self.away = ""
        self.begun = []
        self._looks = 0

    def listed(self, stage, error):
        self._check()
        every = list(self.letters.values())
        found = [each for each in every if stage in ("", each["stage"]) and error in each["error"]]
        return {
            "letters": [{name: value for name, value in each.items() if name != "content"} for each in found],
            "found": len(found),
            "looked_at": len(every),
            "stages": sorted({each["stage"] for each in every}),
            "errors": sorted({each["error"] for each in every}),
        }

    def opened(self, place):
        return self.letters.get(named(place))

    def planned(self, verb, places):
        self._check()
        wanted = [
            each for each in map(self.letters.get, map(named, sorted(places))) if each["became"] is None
        ]
        refused = [{"place": at, "why": why} for at, why in self.refused.items()]
        if verb == "drop":
            return {"sendings": [], "drops": [each["place"] for each in wanted], "refused": []}
        sendings = [
            {
                "to": each["source"],
                "topic": "input-1",
                "key": each["key"],
                "count": 1,
                "letters": [each["place"]],
            }
            for each in wanted
            if each["place"] not in self.refused
        ]
        return {"sendings": sendings, "drops": [], "refused": refused}

    def begin(self, verb, places):
        self._check()
        if self._looks:
            raise BusyError("a replay is under way; wait for its end")
        self.begun.append((verb, sorted(map(named, places))))
        self._looks = 2

    def progress(self):
        if not self.begun:
            return {"verb": None}
        verb, places = self.begun[-1]
        self._looks = max(0, self._looks - 1)
        if self._looks:
            return self._work(verb, places, 0, is_over=False)
        for place in places:
            self.letters[place].update(became={"replay": "replayed", "drop": "dropped"}[verb])
        return self._work(verb, places, len(places), is_over=True)

    def _work(self, verb, places, done, *, is_over):
        counts = {"verb": verb, "total": len(places), "done": done}
        return {**counts, "is_over": is_over, "problem": "", "refused": []}

    def results(self):
        self._check()
        return {"topics": ["output"], "results": self.newest}

    def _check(self):
        if self.away:
            raise KafkaSetupError(self.away)


def named(place):
    return "{}@{}".format(*place)
