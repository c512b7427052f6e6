"""A worker's own figures for Prometheus; those of the node are the web process's."""

from prometheus_client import start_http_server

from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import kept_sentence
from resultsq.store.engine import write_metrics


def expose(host: str, port: int) -> None:
    """Show this process's figures on an address of its own, in a thread that ends with the process.

    :raises SettingsError: it cannot be listened on"""
    try:
        start_http_server(port, host, registry=write_metrics.registry)
    except OSError as error:
        raise SettingsError(
            kept_sentence(
                "This worker's figures cannot be shown on port {port} of {host}: {reason}. "
                "Set another worker_metrics_port; each worker of a machine has its own.",
                port=port,
                host=host,
                reason=error.strerror,
            )
        ) from None
