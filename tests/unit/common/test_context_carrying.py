"""The way into threads and executors for those who want to be found there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from madsci.common.context import carry_context, context_thread
from madsci.common.ownership import get_current_ownership_info, ownership_context


def node():
    return get_current_ownership_info().node_id


def test_a_carried_function_runs_in_the_context_of_its_making():
    with ownership_context(node_id="n"):
        carried = carry_context(node)
    assert (node(), carried()) == (None, "n")
    assert carried.__name__ == "node"


def test_calls_in_an_executor_run_at_the_same_time_and_apart():
    def work(number):
        with ownership_context(step_id=str(number)):
            return node(), get_current_ownership_info().step_id

    with ThreadPoolExecutor(4) as pool, ownership_context(node_id="n"):
        found = list(pool.map(carry_context(work), range(50)))
    assert found == [("n", str(number)) for number in range(50)]


def test_a_thread_runs_in_the_context_of_its_making():
    seen = []
    with ownership_context(node_id="n"):
        thread = context_thread(
            lambda a, b: seen.append((a, b, node())), (1,), {"b": 2}, name="t", daemon=True
        )
    thread.start()
    thread.join()
    assert seen == [(1, 2, "n")]
    assert (thread.name, thread.daemon) == ("t", True)
