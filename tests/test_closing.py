"""distill_close: in the last epochs the labels alone teach, and all else of a run is as it was."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from lessons import COLUMNS, results, said
from releases import TRAINING_LOOPS

pytestmark = pytest.mark.training

SCRIPT = """
def teach(name, **options):
    print(f"TRAINING {name}")
    added, asked = [], []

    def start(trainer):
        loss, compare = trainer.distiller.loss, trainer.distiller._compare

        def observed(batch):
            value = loss(batch)
            added.append([trainer.epoch, float(value)])
            return value

        def compared(*caught):
            asked.append(trainer.epoch)
            return compare(*caught)

        trainer.distiller.loss, trainer.distiller._compare = observed, compared

    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_start", start)
    model.train(**{**SETTINGS, "name": name, "epochs": 4, "model_t": "teacher.pt", **options})
    report(**{name: {"added": added, "asked": asked}})


save_teacher()
teach("constant", distill_close=2)
teach("cosine", distill_close=1, distill_schedule="cosine")
teach("online", distill_close=3, distillonline=True)
"""

CLOSE = {"constant": 2, "cosine": 1, "online": 3}


@pytest.fixture(scope="module", params=TRAINING_LOOPS)
def run(request: pytest.FixtureRequest, teach: Callable[..., Any]) -> Any:
    return teach(request.param, SCRIPT)


@pytest.mark.parametrize("name", CLOSE)
def test_the_teacher_adds_nothing_and_is_not_asked_in_the_last_epochs(run: Any, name: str) -> None:
    facts, end = run.facts[name], 4 - CLOSE[name]
    assert {epoch for epoch, _ in facts["added"]} == {0, 1, 2, 3}
    assert all((value > 0) == (epoch < end) for epoch, value in facts["added"])
    batches = Counter(epoch for epoch, _ in facts["added"])
    assert Counter(facts["asked"]) == {epoch: batches[epoch] for epoch in range(end)}


@pytest.mark.parametrize("name", CLOSE)
def test_their_columns_are_zero(run: Any, name: str) -> None:
    rows = zip(*(results(run, name).column(column) for column in COLUMNS), strict=True)
    assert [any(row) for row in rows] == [epoch < 4 - CLOSE[name] for epoch in range(4)]


@pytest.mark.parametrize("name", CLOSE)
def test_it_is_said_when_it_ends_and_what_it_has_sent_until_then(run: Any, name: str) -> None:
    """Here the warm-up is longer than the whole training."""
    log = said(run)[name]
    assert re.findall(r"Distillation: ends here, distill_close=(\d); the labels alone", log) == [str(CLOSE[name])]
    assert len(re.findall(r"Distillation: it sends the student [\d.]+% of the gradient", log)) == 1
    assert log.index("it sends the student") < log.index("ends here")
