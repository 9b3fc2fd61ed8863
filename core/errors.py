"""The errors a user can meet, and the exit code each one ends a command with.

A message says what is wrong, where, and how to mend it.
"""

from __future__ import annotations

OK = 0


class PersonvitError(Exception):
    """Anything this project raises on purpose."""

    exit_code = 70


class UserError(PersonvitError):
    """Something the user gave is wrong and the user can mend it."""

    exit_code = 1


class ConfigError(UserError):
    """An option, a recipe or a combination of them makes no sense."""


class CheckpointError(UserError):
    """A weights file cannot be used, or not completely."""


class DataError(UserError):
    """An image, a folder of crops or an annotation is not what it should be."""


class CalibrationError(UserError):
    """The calibration crops cannot stand for the data."""


class CollapsedError(UserError):
    """A pre-training run has stopped learning and would not recover."""


class BundleError(UserError):
    """A bundle is damaged, foreign, or of a newer schema."""


class GateFailure(PersonvitError):
    """The quantised model loses more than the stated margin."""

    exit_code = 2


class EnvironmentMismatch(PersonvitError):
    """This machine lacks what was asked for: a package, a device, an instruction set."""

    exit_code = 3


class GateUndecided(PersonvitError):
    """There are too few queries to resolve the stated margin."""

    exit_code = 4


class InternalError(PersonvitError):
    """A bug of ours."""
