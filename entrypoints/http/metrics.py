"""What monitoring wants to know, in the text format of Prometheus (version 0.0.4)."""

from collections.abc import Iterable, Iterator, Sequence

import attrs

from application.configuration import ConfigurationReport
from application.projector import Live
from domain.identifiers import RegistryName

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@attrs.frozen
class _Gauge:
    """A metric with a sample per label value; a label without a name has one value."""

    name: str
    help: str
    label: str
    samples: Sequence[tuple[str, float]]

    def lines(self) -> Iterator[str]:
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} gauge"
        for value, number in self.samples:
            labels = f'{{{self.label}="{value}"}}' if self.label else ""
            yield f"{self.name}{labels} {number}"


def metrics_text(
    live: Live, registries: Iterable[tuple[RegistryName, int]], configuration: ConfigurationReport
) -> str:
    """All metrics. Names of sources and registries are DNS labels, which need no escapes."""
    runs = {
        source: live.sync_runs[source]
        for source in live.definitions.sources
        if source in live.sync_runs
    }
    gauges = (
        _Gauge(
            "annals_configuration_ok",
            "0 where the configuration file could not be taken over as it is.",
            "",
            [("", int(configuration.problem is None))],
        ),
        _Gauge(
            "annals_configuration_loaded_timestamp_seconds",
            "When the configuration in force was read.",
            "",
            [("", configuration.loaded_at.timestamp())],
        ),
        _Gauge("annals_log_position", "Last event folded.", "", [("", live.position)]),
        _Gauge(
            "annals_registry_servers",
            "Versions of servers in a registry, deleted ones included.",
            "registry",
            list(registries),
        ),
        _Gauge(
            "annals_source_synced_timestamp_seconds",
            "When a source was last synced successfully.",
            "source",
            [
                (name, run.completed_at.timestamp())
                for name, run in runs.items()
                if run.completed_at
            ],
        ),
        _Gauge(
            "annals_source_failing",
            "1 where the last sync of a source failed.",
            "source",
            [(name, int(run.failed is not None)) for name, run in runs.items()],
        ),
    )
    return "".join(f"{line}\n" for gauge in gauges for line in gauge.lines())
