"""How a file is to be read, where the repository says so: .gitattributes."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.languages.table import detect


@dataclass(frozen=True, slots=True)
class Reading:
    """What a repository says of how a file is to be read, whatever it looks like.

    It is written in `language`, it is not generated but written `by_hand`, it is on disk in an `encoding`.
    """

    language: str | None = None
    by_hand: bool = False
    encoding: str | None = None

    def hint(self, path: str) -> str:
        """Return what tells the file's blob from blobs of the same bytes that are read in another way.

        Mostly it is the language that the path suggests.
        """
        said = f"={self.language}" if self.language else detect(path) or ""
        return said + ("!" if self.by_hand else "") + (f"@{self.encoding}" if self.encoding else "")
