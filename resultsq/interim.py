"""An HTTP response that skips interim answers, all 1xx (RFC 9110, section 15.2); the library skips 100 alone."""

import http.client

_MOST = 100  # before one final answer
_MOST_BYTES = 64 * 1024


class FinalResponse(http.client.HTTPResponse):
    """For `response_class` of a connection."""

    def _read_status(self) -> tuple[str, int, str]:
        left = _MOST_BYTES
        for _ in range(_MOST):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # typeshed leaves it out
            if status >= 200:
                return version, status, reason
            line = b"x"
            while line.strip() and left > 0:
                line = self.fp.readline(left)
                left -= len(line)
            if left <= 0:
                break
        raise http.client.HTTPException("there was no end of interim answers")
