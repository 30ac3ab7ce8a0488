"""What can go wrong, as a small tree of exceptions.

The command line turns each into one line on standard error, and the exit status of its class. Nothing else in Kuberian
prints an error or ends the process.
"""


class KuberianError(Exception):
    """Base of every error that Kuberian raises on purpose. Its one line says what is wrong and what to do."""

    exit_status = 3


class UsageError(KuberianError):
    """The call itself is wrong: an empty question, an unknown option's value. Exit status 2."""

    exit_status = 2


class RepositoryError(KuberianError):
    """The repository cannot be read: no such folder, not a git repository, nothing in it."""


class HomeError(KuberianError):
    """The home cannot be used: not writable, damaged, locked by another run, made by a newer version."""


class CheckpointError(KuberianError):
    """The checkpoint folder lacks a file, is damaged or holds something else than a BERT."""


class EngineError(KuberianError):
    """A numeric library that the user named cannot be used."""
