"""A sweep on machines that have no folder in common, two of which break off and one of which is cut off for a while.

The machines are namespaces of this one (`tests/support/cluster.py`). `benchmarks/cluster_proof.py` does the same with a
cut of 90 seconds and the limits that users have.
"""

from __future__ import annotations

import re

import pytest

from tests.support.cluster import RUNS, SHORT, STRANGERS, Proof, prove, reason_to_skip

pytestmark = pytest.mark.namespaces("network")


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Proof:
    if reason := reason_to_skip():
        pytest.skip(reason)
    return prove(tmp_path_factory.mktemp("cluster"), SHORT)


def test_workers_were_killed_ended_and_cut_off_while_they_trained(proof: Proof) -> None:
    happened = [what for _, what in proof.events]
    for part in (
        "worker-1 at .* SIGKILL",
        "worker-3 at .* network is down",
        "worker-2 at .* SIGTERM",
        "worker-3 has its network again",
    ):
        assert any(re.search(part, what) for what in happened), (part, happened)


def test_every_run_is_finished_none_is_lost_and_none_is_there_twice(proof: Proof) -> None:
    assert [run["state"] for run in proof.runs] == ["finished"] * RUNS
    assert len({run["run"] for run in proof.runs}) == RUNS


def test_each_run_is_that_of_one_machine_bit_for_bit_also_where_another_worker_finished_it(proof: Proof) -> None:
    assert {run["run"]: run["difference"] for run in proof.runs if run["difference"]} == {}
    assert max(run["attempts"] for run in proof.runs) > 1


def test_nobody_without_the_clusters_certificate_or_a_token_is_let_in(proof: Proof) -> None:
    control, *others = STRANGERS
    assert proof.strangers[control] == "runs code: 7"
    answers = {how: proof.strangers[how] for how in others}
    assert answers.pop("the store server, with a made-up token") == "401"
    assert answers.pop("the scheduler's web pages") == "404"
    assert answers.pop("with TLS and no certificate") in {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLEOFError"}
    assert set(answers.values()) <= {"OSError", "CommClosedError", "FatalCommClosedError"}
