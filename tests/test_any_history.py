"""Whatever is done to repositories, a home answers of them what a new home would, and nothing is done to them by it.

`tests/any_history/` has what may be done.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.any_history.machine import History


def run(examples: int, steps: int, *, random: bool) -> None:
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=not random,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_home_answers_what_a_new_one_would() -> None:
    run(6, 12, random=False)


@pytest.mark.long
def test_a_home_answers_what_a_new_one_would_after_many_histories() -> None:
    run(60, 25, random=True)
