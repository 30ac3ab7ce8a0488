"""What Waitress refuses by itself is answered as everything else is: as JSON, and at once.

By itself Waitress answers in plain text. It asks for a body that it will refuse, and waits for one that never comes,
where a client expects 100-continue. It drops a connection without an answer where the standard library cannot read an
address or a number.
"""

from __future__ import annotations

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask
from waitress.utilities import BadRequest

from searcher.serving.answers import error_body, headers


class _Parser(HTTPRequestParser):
    """Reads a request, and has an answer for each that is none."""

    # Waitress asks for these, even where no request could be read.
    command = path = ""

    def received(self, data: bytes) -> int:
        """Take what was received. Return how much of it was of this request."""
        try:
            used = int(super().received(data))
        except ValueError as error:  # half of an IPv6 address, a length of thousands of digits
            self.error, self.completed = BadRequest(str(error)), True
            return len(data)
        if self.completed:  # nothing more is waited for
            self.expect_continue = False
        return used


class _Refusal(ErrorTask):
    """The answer to what is no request, or is too large."""

    def execute(self) -> None:
        """Send it, and close the connection behind it."""
        error = self.request.error
        body = error_body(f"{error.reason}: {error.body}")
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(headers(body))
        self.content_length = len(body)
        self.request.headers.pop("CONNECTION", None)  # else HTTP/1.0 would be told to close and to keep alive
        self.set_close_on_finish()
        self.write(b"" if self.request.command == "HEAD" else body)


class Channel(HTTPChannel):
    """A connection on which every answer is JSON."""

    parser_class = _Parser
    error_task_class = _Refusal
