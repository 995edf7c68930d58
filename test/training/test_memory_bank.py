import pytest
import torch

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training.networks.memory_bank import MemoryBank
from dense_descriptor_ros.training.sources.image import IGNORE


def batch(number, count=4):
    return torch.full((count, 2), float(number)), torch.full((count,), number)


def numbers(bank):
    keys, labels = bank.contents()
    assert torch.equal(keys[:, 0].long(), labels)
    return sorted(labels.tolist())


def test_the_oldest_batch_goes_first():
    bank = MemoryBank(batches=3, samples=4, dimension=2)
    assert numbers(bank) == []
    for number in range(1, 6):
        bank.push(*batch(number))
        assert numbers(bank) == sorted(4 * list(range(max(1, number - 2), number + 1)))


def test_a_smaller_batch_leaves_nothing_of_what_was_there_before():
    bank = MemoryBank(batches=2, samples=4, dimension=2)
    for number, count in ((1, 4), (2, 4), (3, 1), (4, 0)):
        bank.push(*batch(number, count))
    assert numbers(bank) == [3]
    assert bank.keys.shape == (2, 4, 2)


def test_a_larger_batch_is_cut():
    bank = MemoryBank(batches=1, samples=4, dimension=2)
    bank.push(*batch(1, 9))
    assert numbers(bank) == [1] * 4


def test_keys_are_remembered_without_their_history():
    bank = MemoryBank(batches=2, samples=4, dimension=2)
    keys, labels = batch(1)
    bank.push(keys.requires_grad_() * 1, labels)
    assert not bank.contents()[0].requires_grad
    assert not bank.keys.requires_grad


def test_contents_stay_when_the_bank_goes_on():
    bank = MemoryBank(batches=1, samples=4, dimension=2)
    bank.push(*batch(1))
    keys, _ = bank.contents()
    bank.push(*batch(2))
    assert torch.equal(keys, batch(1)[0])


def test_a_loaded_bank_goes_on_as_the_saved_one():
    whole = MemoryBank(batches=3, samples=4, dimension=2)
    for number in range(1, 5):
        whole.push(*batch(number))
    resumed = MemoryBank(batches=3, samples=4, dimension=2)
    resumed.load_state_dict(whole.state_dict())
    for number in range(5, 7):
        for bank in (whole, resumed):
            bank.push(*batch(number, number % 4))
        for a, b in zip(whole.contents(), resumed.contents(), strict=True):
            assert torch.equal(a, b)
    assert not list(whole.parameters())


def test_keys_that_are_not_finite_are_forgotten():
    bank = MemoryBank(batches=1, samples=4, dimension=2)
    keys, labels = batch(3)
    keys[1, 0], keys[2, 1] = torch.nan, torch.inf
    bank.push(keys, labels)
    assert numbers(bank) == [3, 3]
    assert bank.keys.isfinite().all()
    assert (bank.labels == IGNORE).sum() == 2


def test_a_bank_of_no_batches_remembers_nothing():
    bank = MemoryBank(batches=0, samples=4, dimension=2)
    bank.push(*batch(1))
    keys, labels = bank.contents()
    assert keys.shape == (0, 2)
    assert labels.shape == (0,)


@pytest.mark.parametrize('sizes', [(-1, 4, 2), (3, 0, 2), (3, 4, 0)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ConfigError, match='memory bank of'):
        MemoryBank(*sizes)
