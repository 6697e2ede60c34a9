"""Moments at which to do one's worst."""

import random
import threading


def at_any_moment(rng: random.Random) -> None:
    """Wait for nothing but chance: a crash may find the work in any state."""
    threading.Event().wait(rng.uniform(0.1, 1.0))
