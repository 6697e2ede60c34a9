"""A driver of a new version of an application, over the topics and the offsets that an old one has left."""

from wallaroo.testing import ApplicationDriver


def upgraded(old, application, **options):
    """The new version, started where the old one was stopped; topics of other names stay behind."""
    old.commit()
    new = ApplicationDriver(application, **options)
    shared = old._logs.partitions.keys() & new._logs.partitions.keys()
    for topic in shared:
        new._logs._topics[topic] = old._logs._topics[topic]
    for at in [at for at in old._logs._logs if at.topic in shared]:
        new._logs._logs[at] = old._logs._logs[at]
        new._logs._ends[at] = old._logs._ends[at]
    for name in old._groups.keys() & new._groups.keys():
        committed = old._groups[name]._committed
        new._groups[name]._committed.update(
            {at: offset for at, offset in committed.items() if at in new._groups[name]._committed}
        )
    new.crash()
    return new
