"""From the bytes of one file to the rows that the store keeps of it: a pure function, for any process to run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from indexer.chunking.chunk import Chunk
from indexer.chunking.chunks import cut
from indexer.languages.table import detect
from indexer.meaning.passages import outline_passage, passage, passage_hash
from indexer.source.contents import Skipped, read_text
from indexer.source.reading import Reading
from kuberian.store.blobs import FileRows
from kuberian.store.chunks import ChunkRows
from kuberian.store.fulltext import ChunkText, own_names
from kuberian.store.texts import deflate, lines_of, slice_lines, storable

_BY_ITS_LOOKS = Reading()


@dataclass(frozen=True, slots=True)
class CutFile:
    """A file's content, decoded and cut; or `skipped`, the reason why it is not indexed."""

    language: str | None
    encoding: str | None
    skipped: str | None
    text: str
    chunks: list[Chunk]


def cut_file(path: str, data: bytes, reading: Reading = _BY_ITS_LOOKS, *, by_grammar: bool = True) -> CutFile:
    """Decode a file's content, recognise its language and cut it.

    `path` is relative to the repository. `reading` is what the repository says of the file, whatever it looks like.
    `by_grammar=False` cuts the text as lines of no known language.
    """
    language = reading.language
    content = read_text(path, data, len(data), reading.by_hand, reading.encoding)  # the caller has checked the size
    if isinstance(content, Skipped):
        return CutFile(language or detect(path), None, content.reason, "", [])
    text = storable(content.text)
    language = language or detect(path, text)
    return CutFile(language, content.encoding, None, text, cut(text, language if by_grammar else None))


def rows(path: str, data: bytes, reading: Reading = _BY_ITS_LOOKS, *, by_grammar: bool = True) -> FileRows:
    """Return the rows that the store keeps of a file's content; the arguments are as for `cut_file`."""
    file = cut_file(path, data, reading, by_grammar=by_grammar)
    chunks = list(_chunk_rows(file))
    outline = outline_passage(name for chunk in chunks for name in own_names(chunk.names))
    return FileRows(
        language=file.language or "",
        encoding=file.encoding,
        skipped=file.skipped,
        content=None if file.skipped else deflate(file.text),
        outline=passage_hash(outline) if outline else None,
        chunks=chunks,
    )


def _chunk_rows(file: CutFile) -> Iterator[ChunkRows]:
    lines = lines_of(file.text)
    for chunk in file.chunks:
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
            passage=passage_hash(passage(chunk, code)),
            names=names,
            words=ChunkText(chunk.symbol, names, chunk.signature, chunk.doc, code).columns(),
        )


def _names(chunk: Chunk) -> str:
    """Return the names that a chunk defines, in the form of the column `chunks.names`: "kind symbol" on each line."""
    lines = (" ".join(f"{name.kind} {name.symbol}".split()) for name in chunk.names)
    return "\n".join(dict.fromkeys(lines))
