/** Everything that has been started, ended in reverse order. */
export class Shutdown {
  readonly #steps: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined;

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  run(): Promise<void> {
    this.#running ??= (async () => {
      const problems: unknown[] = [];
      for (const step of this.#steps.reverse()) await step().catch((error: unknown) => problems.push(error));
      if (problems.length > 0) throw problems[0];
    })();
    return this.#running;
  }
}
