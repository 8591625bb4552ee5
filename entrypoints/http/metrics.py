"""What monitoring wants to know, in the text format of Prometheus (version 0.0.4)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from application.configuration import ConfigurationReport
from application.projections.catalogs import Size
from application.projector import Live
from application.sync_counts import SyncCount
from domain.identifiers import Position, RegistryName, SourceName

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@attrs.frozen(kw_only=True, eq=False)
class State(Collector):
    """How things stand when they are asked for: `registries` with their versions of servers,
    `sizes` with how much each source offers, and `head` is where the log ends.
    """

    live: Live
    head: Position
    registries: Collection[tuple[RegistryName, int]]
    configuration: ConfigurationReport
    syncs: Sequence[SyncCount]
    sizes: Mapping[SourceName, Size]
    holds_lease: bool

    def collect(self) -> Iterator[Metric]:
        yield from self._of_configuration()
        yield from self._of_log()
        yield from self._of_sources()
        yield from self._of_syncs()

    def _of_configuration(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "annals_configuration_ok",
            "0 where the configuration file could not be taken over as it is.",
            value=int(self.configuration.problem is None),
        )
        yield GaugeMetricFamily(
            "annals_configuration_loaded_timestamp_seconds",
            "When the configuration in force was read.",
            value=self.configuration.loaded_at.timestamp(),
        )

    def _of_log(self) -> Iterator[Metric]:
        position = self.live.position
        yield GaugeMetricFamily("annals_log_position", "Last event folded.", value=position)
        yield GaugeMetricFamily(
            "annals_log_lag_events",
            "Events of the log that this process has not folded yet.",
            value=max(0, self.head - position),
        )
        yield GaugeMetricFamily(
            "annals_lease_held",
            "1 in the process that syncs, of all over the log.",
            value=int(self.holds_lease),
        )
        yield _by(
            "registry",
            "annals_registry_servers",
            "Versions of servers in a registry, deleted ones included.",
            self.registries,
        )

    def _of_sources(self) -> Iterator[Metric]:
        live = self.live
        runs = {
            source: live.sync_runs[source]
            for source in live.definitions.sources
            if source in live.sync_runs
        }
        yield _by(
            "source",
            "annals_source_synced_timestamp_seconds",
            "When a source was last synced successfully.",
            [
                (name, run.completed_at.timestamp())
                for name, run in runs.items()
                if run.completed_at
            ],
        )
        yield _by(
            "source",
            "annals_source_failing",
            "1 where the last sync of a source failed.",
            [(name, int(run.failed is not None)) for name, run in runs.items()],
        )
        yield _by(
            "source",
            "annals_source_entries",
            "Entries that a source offers, as of its last successful sync.",
            [(name, size.entries) for name, size in self.sizes.items()],
        )

    def _of_syncs(self) -> Iterator[Metric]:
        labels = ("source", "outcome")
        ended = CounterMetricFamily(
            "annals_syncs", "Syncs that this process has made.", labels=labels
        )
        took = CounterMetricFamily(
            "annals_sync_seconds", "How long they took together.", labels=labels
        )
        configured = self.live.definitions.sources
        for count in self.syncs:
            if count.source in configured:
                ended.add_metric((count.source, count.end), count.syncs)
                took.add_metric((count.source, count.end), count.seconds)
        yield ended
        yield took


def _by(
    label: str, name: str, text: str, samples: Iterable[tuple[RegistryName | SourceName, float]]
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value, number in samples:
        family.add_metric((value,), number)
    return family


def metrics_text(collectors: CollectorRegistry, state: State) -> bytes:
    """All metrics."""
    now = CollectorRegistry()
    now.register(state)
    return generate_latest(now) + generate_latest(collectors)
