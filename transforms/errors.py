"""The refusals a run can end with; each carries the process's exit code and a one-line message without patient values."""

from typing import Self


class Refusal(Exception):  # noqa: N818 - what a user reads is a refusal, not an error
    """A run that ends on purpose: the message is one line naming table, column or row, what was found, what is allowed."""

    exit_code = 1


class UsageError(Refusal):
    """Wrong usage or parameters."""

    exit_code = 2


class ContractBroken(Refusal):
    """The extract breaks the contract; nothing is published."""

    exit_code = 3


class ExtractChanged(ContractBroken):
    """A file of the extract came, went or changed while it was read: the one refusal that a later try can mend."""

    @classmethod
    def by(cls, what: str) -> Self:
        """The refusal for what happened, for example ``labs.csv has gone``."""
        return cls(f"the extract changed while it was read: {what}; start again when its delivery is complete")


class RunHeld(Refusal):
    """Another run holds this OUT."""

    exit_code = 4
