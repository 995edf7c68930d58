"""Exceptions of the package. A message names the value, what was expected and what to do."""


class DenseDescriptorError(Exception):
    """Root of every error that the package raises on purpose."""


class InputError(DenseDescriptorError, ValueError):
    """An array, image or camera that cannot be used."""


class ConfigError(DenseDescriptorError, ValueError):
    """A setting outside its range, or settings that contradict each other."""


class DatasetError(DenseDescriptorError):
    """A data set on disk that is missing, damaged or not in BOP format."""


class CheckpointError(DenseDescriptorError):
    """A checkpoint that is missing, damaged or of another schema."""


class TrainingError(DenseDescriptorError):
    """Training that cannot go on, for example after a loss that is not finite."""
