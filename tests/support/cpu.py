"""What something costs this process: other work on the machine makes it take longer, and cost hardly more."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cpu_at_most(seconds: float) -> Iterator[None]:
    """Fails where the block takes more of a processor's time, however it ends."""
    began = time.process_time()
    try:
        yield
    finally:
        spent = time.process_time() - began
        assert spent <= seconds, f"{spent:.2f} s of a processor"
