"""What the training model is fitted on: order, views, types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer.fit.batches import Feed, Rows, fit_batches, in_one_shape, predict_batches
from trainer.progress import Event
from trainer.ranks.group import Share

LABELS = np.arange(50, dtype=np.int64)


def order(batches: Any) -> list[int]:
    return [int(label) for place in range(len(batches)) for label in batches[place][1]]


def test_batches_are_the_chosen_pixels_as_they_are() -> None:
    array = np.arange(10 * 4, dtype=np.uint8).reshape(10, 2, 2, 1)
    chosen = np.array([1, 3, 5, 7, 9], np.int64)
    batches = fit_batches(Feed((Rows(array, chosen),), chosen), batch_size=2, seed=0, shuffle=False)
    assert len(batches) == 3
    inputs, labels = batches[2]
    assert inputs["image"].dtype == np.uint8
    np.testing.assert_array_equal(inputs["image"], array[[9]])
    assert inputs["label"].tolist() == labels.tolist() == [9]


def test_shuffled_batches_are_all_images_in_an_order_of_seed_and_epoch() -> None:
    feed = Feed((np.zeros((50, 2), np.float16),), LABELS)
    first, second = (fit_batches(feed, batch_size=8, seed=4, shuffle=True) for _ in range(2))
    before = order(first)
    assert set(before) == set(range(50))
    # Seven full batches: six images come twice.
    assert len(before) == 56
    assert before == order(second)
    first.on_epoch_end()
    assert order(first) != before
    # A resumed run begins where the killed one stood.
    assert order(first) == order(fit_batches(feed, batch_size=8, seed=4, shuffle=True, first_epoch=1))
    assert order(fit_batches(feed, batch_size=8, seed=5, shuffle=True)) != before


def test_neighbours_in_a_batch_are_drawn_and_not_sorted() -> None:
    # Mixing pairs a batch with its reverse; folders come sorted by class.
    feed = Feed((np.arange(50, dtype=np.float32)[:, None],), LABELS)
    inputs, labels = fit_batches(feed, batch_size=32, seed=4, shuffle=True)[0]
    np.testing.assert_array_equal(inputs["image"][:, 0], labels)
    assert sorted(labels) != labels.tolist()
    assert abs(np.corrcoef(labels, labels[::-1])[0, 1]) < 0.5


def test_batches_have_the_type_that_all_views_fit_in() -> None:
    feed = Feed((np.zeros((4, 2), np.float16), np.full((4, 2), 1e6, np.float32)), LABELS[:4], np.float32)
    inputs, _ = fit_batches(feed, batch_size=4, seed=0, shuffle=False)[0]
    assert inputs["image"].dtype == np.float32
    assert inputs["image"].max() == 1e6


def test_views_take_turns_and_each_image_shows_all_of_them() -> None:
    views = [np.full((50, 3), view, np.float16) for view in range(3)]
    batches = fit_batches(Feed(views, LABELS), batch_size=50, seed=0, shuffle=True)
    seen = []
    for _ in range(3):
        inputs, labels = batches[0]
        seen.append(inputs["image"][np.argsort(labels), 0])
        batches.on_epoch_end()
    assert sorted(set(map(tuple, np.sort(np.stack(seen), axis=0).T.tolist()))) == [(0.0, 1.0, 2.0)]
    assert set(seen[0].tolist()) == {0.0, 1.0, 2.0}


def test_predicted_batches_are_all_images_in_order_and_of_one_shape() -> None:
    shapes: list[tuple[int, ...]] = []

    class Model:
        """Gives the first pixel of each image."""

        def predict_on_batch(self, batch: Any) -> Any:
            shapes.append(batch.shape)
            return batch[:, 0, 0]

    array = np.arange(200, dtype=np.uint8).reshape(200, 1, 1, 1)
    chosen = np.arange(7, 157, dtype=np.int64)
    events: list[Event] = []
    parts = list(predict_batches(Model(), array, chosen, "evaluate", events.append))
    np.testing.assert_array_equal(np.concatenate(parts)[:, 0], np.arange(7, 157))
    assert shapes == [(64, 1, 1, 1)] * 3
    assert [(event.done, event.total, event.images) for event in events] == [
        (1, 3, 64),
        (2, 3, 128),
        (3, 3, 150),
    ]


def test_smaller_batches_have_the_shape_of_the_largest_and_their_own_outputs() -> None:
    shapes: list[tuple[int, ...]] = []

    def predict(batch: Any) -> list[Any]:
        shapes.append(batch.shape)
        return [batch, 2.0 * batch]

    run = in_one_shape(predict)
    for count in (2, 4, 3):
        batch = np.arange(3.0 * count).reshape(count, 3)
        same, doubled = run(batch)
        np.testing.assert_array_equal(same, batch)
        np.testing.assert_array_equal(doubled, 2.0 * batch)
    assert shapes == [(2, 3), (4, 3), (4, 3)]


def test_set_smaller_than_a_batch_is_one_batch() -> None:
    batches = fit_batches(Feed((np.zeros((5, 2)),), LABELS[:5]), batch_size=32, seed=0, shuffle=True)
    assert sorted(order(batches)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("shuffle", "count"), [(True, 50), (False, 50), (False, 49), (True, 5)])
def test_ranks_yield_their_parts_of_one_process_batches(shuffle: bool, count: int) -> None:
    views = (np.arange(count, dtype=np.float32)[:, None],)
    options = {"batch_size": 16, "seed": 4, "shuffle": shuffle}
    whole = fit_batches(Feed(views, LABELS[:count]), **options)
    ranks = [
        fit_batches(Feed(views, LABELS[:count]), **options, share=Share(rank, 3, 3)) for rank in range(3)
    ]
    weight = 0.0
    for place in range(len(whole)):
        parts = [batches[place] for batches in ranks]
        labels, weights = (np.concatenate([part[index] for part in parts]) for index in (1, 2))
        images = np.concatenate([part[0]["image"][:, 0] for part in parts])
        expected = whole[place][1]
        np.testing.assert_array_equal(images, labels)
        # All batches have one size; the padding repeats images of the batch, and weighs nothing.
        assert len(labels) == -(-min(16, count) // 3) * 3 if shuffle else len(labels) == 18
        np.testing.assert_array_equal(labels[: len(expected)], expected)
        assert set(labels[len(expected) :]) <= set(expected)
        assert (weights[: len(expected)] == weights[0]).all()
        assert (weights[len(expected) :] == 0).all()
        if len(expected) == min(16, count):
            # The mean over the padded batch is that over its images.
            assert np.mean(weights) == pytest.approx(1.0)
        weight += weights.sum()
    assert ranks[0].total_weight == pytest.approx(weight)


def test_batch_that_the_devices_share_equally_has_weights_of_one() -> None:
    batches = fit_batches(
        Feed((np.zeros((8, 2)),), LABELS[:8]), batch_size=4, seed=0, shuffle=True, share=Share(1, 2, 2)
    )
    assert batches[0][2].tolist() == [1.0, 1.0]
