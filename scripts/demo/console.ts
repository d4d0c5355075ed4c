import cliProgress from "cli-progress";
import pc from "picocolors";
import type { EntityType, Operation } from "../lib/sync-run.ts";

const ENTITIES: readonly EntityType[] = ["accounts", "contacts", "opportunities"];

/** Where a person reads: stdout, or stderr when stdout belongs to a program. */
export class DemoConsole {
  private readonly stream: NodeJS.WriteStream;

  constructor(json: boolean) {
    this.stream = json ? process.stderr : process.stdout;
  }

  /** How wide the window is; where nobody looks, as wide as most are. */
  get columns(): number {
    return this.stream.columns ?? 100;
  }

  say(line = ""): void {
    this.stream.write(`${line}\n`);
  }

  step(line: string): void {
    this.say(`${pc.cyan("▸")} ${line}`);
  }

  /** A bar per entity on a terminal; a line per finished entity elsewhere. */
  progress(title: string): { show(operation: Operation): void; stop(): void } {
    this.step(title);
    return this.stream.isTTY ? this.bars() : this.lines();
  }

  /** One number that grows: a line that is written over on a terminal, its last state elsewhere. */
  counter(title: string, unit: string): { show(done: number, total?: number): void; stop(): void } {
    this.step(title);
    let last = "";
    const show = (done: number, total?: number) => {
      last = `    ${done}${total === undefined ? "" : ` of ${total}`} ${unit}`;
      if (this.stream.isTTY) this.stream.write(`\r${last}`);
    };
    const stop = () => {
      if (last !== "") this.say(this.stream.isTTY ? "" : last);
    };
    return { show, stop };
  }

  private bars() {
    const multi = new cliProgress.MultiBar(
      {
        stream: this.stream,
        format: `    {entity} ${pc.green("{bar}")} {value}/{total}`,
        barCompleteChar: "█",
        barIncompleteChar: "░",
        barsize: 36,
        hideCursor: true,
        clearOnComplete: false,
      },
      cliProgress.Presets.shades_classic,
    );
    const bars = new Map<EntityType, cliProgress.SingleBar>();
    const show = ({ progress }: Operation) => {
      for (const entity of ENTITIES) {
        const state = progress?.entities?.[entity];
        if (!state) continue;
        const total = Math.max(state.total ?? state.done, state.done);
        const bar = bars.get(entity) ?? multi.create(total, 0, { entity: entity.padEnd(14) });
        bars.set(entity, bar);
        bar.setTotal(total);
        bar.update(state.done);
      }
    };
    return { show, stop: () => multi.stop() };
  }

  private lines() {
    const last = new Map<EntityType, number>();
    let latest: Operation | null = null;
    const write = (entity: EntityType, done: number, total: number | null) => {
      last.set(entity, done);
      this.say(`    ${entity.padEnd(14)} ${done}${total === null ? "" : ` of ${total}`}`);
    };
    const show = (operation: Operation) => {
      latest = operation;
      for (const entity of ENTITIES) {
        const state = operation.progress?.entities?.[entity];
        const before = last.get(entity) ?? -1;
        if (state && state.done > before && (state.done === state.total || state.done - before >= 2000))
          write(entity, state.done, state.total);
      }
    };
    const stop = () => {
      for (const entity of ENTITIES) {
        const state = latest?.progress?.entities?.[entity];
        if (state && state.done !== last.get(entity)) write(entity, state.done, state.total);
      }
    };
    return { show, stop };
  }
}
