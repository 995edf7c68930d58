"""Images to train with and images to validate with share nothing."""

import numpy as np
import pytest
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.sources.bop import BopImages
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage, guessed_intrinsics
from dense_descriptor_ros.training.sources.split import split_source


class Numbered(ImageSource):
    """Images whose only pixel is their number."""

    class_names = ('a', 'b')

    def __init__(self, *sequences: list[int]) -> None:
        self.given = list(sequences)

    def __len__(self) -> int:
        return sum(map(len, self.given))

    def __getitem__(self, index: int) -> LabelledImage:
        return LabelledImage(
            np.full((1, 1, 3), index, np.uint8), np.zeros((1, 1), np.float32), guessed_intrinsics(1, 1)
        )

    @property
    def sequences(self) -> list[list[int]]:
        return self.given


def numbers(source: ImageSource) -> list[int]:
    return [int(source[k].rgb[0, 0, 0]) for k in range(len(source))]


def test_the_last_sequences_validate_whole():
    train, val = split_source(Numbered([0, 1], [2, 3], [4, 5], [6, 7]), 0.25)
    assert (numbers(train), numbers(val)) == ([0, 1, 2, 3, 4, 5], [6, 7])
    assert train.sequences == [[0, 1], [2, 3], [4, 5]]
    assert val.sequences == [[0, 1]]
    assert val.class_names == ('a', 'b')


def test_of_a_single_sequence_its_end_validates():
    train, val = split_source(Numbered(list(range(10))), 0.2)
    assert (numbers(train), numbers(val)) == (list(range(8)), [8, 9])


def test_both_parts_have_something_whatever_the_share():
    for share in (0.001, 0.999):
        train, val = split_source(Numbered([0], [1], [2]), share)
        assert len(train) >= 1
        assert len(val) >= 1


def test_one_image_cannot_be_split():
    with pytest.raises(DatasetError, match='1 image, expected two or more'):
        split_source(Numbered([0]), 0.5)


def test_of_a_bop_data_set_scenes_are_kept_apart(tmp_path):
    dataset = open_bop(write_tiny_bop(tmp_path), 'test')
    train, val = split_source(BopImages(dataset, load_category('mug')), 0.5)
    assert ({view.scene_id for view in train.views}, {view.scene_id for view in val.views}) == ({0}, {1})
