"""One file's content, from bytes to the rows that the store keeps of it: a pure function, for any process to run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from indexer.chunking.chunk import Chunk
from indexer.chunking.chunks import cut
from indexer.languages.table import detect
from indexer.meaning.passages import outline_passage, passage, passage_hash
from indexer.source.contents import Skipped, read_text
from kuberian.store.fulltext import ChunkText, Columns, own_names
from kuberian.store.texts import deflate, lines_of, slice_lines, storable


@dataclass(frozen=True, slots=True)
class CutFile:
    """A content, decoded and cut; or why it is not indexed."""

    language: str | None
    encoding: str | None
    skipped: str | None
    text: str
    chunks: list[Chunk]


class ChunkRows(NamedTuple):
    """A chunk as it is stored: its columns, and those of its full-text row. A tuple, which is sooner pickled."""

    start_line: int
    end_line: int
    kind: str
    symbol: str | None
    scope: str | None
    signature: str | None
    doc: str | None
    part: int
    passage: bytes
    names: str
    words: Columns


class FileRows(NamedTuple):
    """A content as it is stored: the columns of `blobs`, and its chunks. `content` and `outline` may be missing."""

    language: str
    encoding: str | None
    skipped: str | None
    content: bytes | None
    outline: bytes | None
    chunks: list[ChunkRows]


def cut_file(path: str, data: bytes, *, by_grammar: bool = True) -> CutFile:
    """Decode a content, recognise its language and cut it; `by_grammar=False` cuts it as lines of no known language.

    `path` is relative to the repository.
    """
    content = read_text(path, data, max_bytes=len(data))  # the size was the caller's question
    if isinstance(content, Skipped):
        return CutFile(detect(path), None, content.reason, "", [])
    text = storable(content.text)
    language = detect(path, text)
    return CutFile(language, content.encoding, None, text, cut(text, language if by_grammar else None))


def rows(path: str, data: bytes, *, by_grammar: bool = True) -> FileRows:
    """Return the rows of the content of a file."""
    done = cut_file(path, data, by_grammar=by_grammar)
    chunks = list(_chunk_rows(done))
    outline = outline_passage(name for chunk in chunks for name in own_names(chunk.names))
    return FileRows(
        language=done.language or "",
        encoding=done.encoding,
        skipped=done.skipped,
        content=None if done.skipped else deflate(done.text),
        outline=passage_hash(outline) if outline else None,
        chunks=chunks,
    )


def _chunk_rows(done: CutFile) -> Iterator[ChunkRows]:
    lines = lines_of(done.text)
    for chunk in done.chunks:
        code = slice_lines(lines, chunk.start_line, chunk.end_line)
        names = _names(chunk)
        yield ChunkRows(
            start_line=chunk.start_line,
            end_line=chunk.end_line,
            kind=chunk.kind,
            symbol=chunk.symbol,
            scope=chunk.scope,
            signature=chunk.signature,
            doc=chunk.doc,
            part=chunk.part,
            passage=passage_hash(passage(chunk, code, done.language)),
            names=names,
            words=ChunkText(chunk.symbol, names, chunk.signature, chunk.doc, code).columns(),
        )


def _names(chunk: Chunk) -> str:
    """Return what a chunk defines as `chunks.names` holds it."""
    lines = (" ".join(f"{name.kind} {name.symbol}".split()) for name in chunk.names)
    return "\n".join(dict.fromkeys(lines))
