"""The exceptions of mnist_core, as one tree.

    MnistCoreError
    ├── ConfigError          a configuration is out of its bounds
    ├── FilterError          a filter of runs cannot be read
    ├── DatasetError         a dataset cannot be used
    │   └── DatasetMissing   a dataset is not on this machine, and could not be fetched
    ├── StoreError           the store refuses something, or cannot find it
    │   ├── RunNotFound      no run, or more than one, answers to a name
    │   ├── DamagedFile      a file cannot be read, or does not hold what it must
    │   ├── NoConfiguration  a run from outside cannot be trained, continued or drawn layer by layer
    │   ├── ReadOnlyRun      a shipped reference run cannot be changed
    │   ├── WriteError       the disk is full, or the store may not be written
    │   ├── StaleAttempt     another attempt has taken this run over
    │   └── InvalidTransition  the run is not in a state in which this can happen to it
    ├── JobError             the job service cannot carry out a request
    ├── NotAllowed           a person of a class may not do this
    ├── TooOften             somebody does something more often than is allowed
    ├── DrawingError         a drawing or a picture cannot be used
    ├── LessonError          a lesson cannot be read, or lacks a result that it names
    ├── PredictionsError     the predictions of a model are not probabilities
    └── ComparisonError      two runs cannot be compared

Every message says the value, the limit and the remedy, so that it can be shown to a person as it stands.
"""


class MnistCoreError(Exception):
    """Base of all errors that mnist_core raises on purpose."""


class ConfigError(MnistCoreError, ValueError):
    """A configuration is out of its bounds."""


class FilterError(MnistCoreError, ValueError):
    """A filter of runs cannot be read."""


class DatasetError(MnistCoreError):
    """A dataset cannot be used: damaged, of the wrong form, or unknown."""


class DatasetMissing(DatasetError):
    """A dataset is not on this machine, and could not be fetched."""


class StoreError(MnistCoreError):
    """The store refuses or cannot find something."""


class RunNotFound(StoreError, LookupError):
    """No run, or more than one, answers to the given name."""


class DamagedFile(StoreError, ValueError):
    """A file is damaged, too large, or does not hold what it must; the message begins with the file's name."""


class NoConfiguration(StoreError):
    """A run that was made outside has no configuration, and what was wanted needs one."""


class ReadOnlyRun(StoreError):
    """A shipped reference run cannot be changed."""


class WriteError(StoreError):
    """A file cannot be written: the disk is full, or the store may not be written. What was stored stays as it is."""


class StaleAttempt(StoreError):
    """Another attempt has taken this run over; the caller must stop writing."""


class InvalidTransition(StoreError):
    """The run is not in a state in which this can happen to it, such as resuming one that has finished."""


class JobError(MnistCoreError):
    """The job service cannot carry out a request."""


class NotAllowed(MnistCoreError):
    """A person of a class asks for what only others may do, such as deleting the run of another."""


class TooOften(MnistCoreError):
    """Somebody does something more often than is allowed; the message says how long to wait."""


class DrawingError(MnistCoreError, ValueError):
    """A drawing or a picture cannot be used, or a kept digit is not what it must be."""


class LessonError(MnistCoreError, ValueError):
    """A lesson's file cannot be read, or a run has not what the lesson names."""


class PredictionsError(MnistCoreError, ValueError):
    """Predictions are no probabilities, or do not belong to their labels."""


class ComparisonError(MnistCoreError, ValueError):
    """Two runs cannot be compared."""
