import { Counter, Gauge, Histogram, Registry } from "prom-client";

type Values = Readonly<Record<string, number>>;

/** Of the servers' own metrics. Those of the process have the names that all programs give them. */
const PREFIX = "atcr_verify_server_";
/** Seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The metrics of one server, in Prometheus' text format. */
export class MetricRegistry {
  readonly #registry = new Registry();

  counter(name: string, help: string, ...labelNames: readonly string[]): Counter {
    return new Counter({ name: `${PREFIX}${name}`, help, labelNames, registers: [this.#registry] });
  }

  gauge(name: string, help: string, ...labelNames: readonly string[]): Gauge {
    return new Gauge({ name: `${PREFIX}${name}`, help, labelNames, registers: [this.#registry] });
  }

  /** Of seconds. */
  histogram(name: string, help: string, ...labelNames: readonly string[]): Histogram {
    return new Histogram({ name: `${PREFIX}${name}`, help, labelNames, buckets: BUCKETS, registers: [this.#registry] });
  }

  /**
   * A value that is looked up when the metrics are read; absent where it is undefined.
   *
   * @param name whole
   */
  looked(kind: "counter" | "gauge", name: string, help: string, look: () => number | undefined): void {
    const Kind = kind === "counter" ? Counter : Gauge;
    new Kind({
      name,
      help,
      registers: [this.#registry],
      collect() {
        const value = look();
        if (value === undefined) this.remove();
        else if (this instanceof Gauge) this.set(value);
        else {
          this.reset();
          this.inc(value);
        }
      },
    });
  }

  /** Values by one label that are looked up when the metrics are read. */
  lookedBy(label: string, name: string, help: string, look: () => Values): void {
    new Gauge({
      name: `${PREFIX}${name}`,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        for (const [key, value] of Object.entries(look())) this.set({ [label]: key }, value);
      },
    });
  }

  /** The build that runs. Not by the name that it has on nodes, whose alerts expect pulls beside it. */
  build(version: string): void {
    const name = `${PREFIX}build_info`;
    new Gauge({ name, help: "1, by version.", labelNames: ["version"], registers: [this.#registry] }).set(
      { version },
      1,
    );
  }

  async read(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
