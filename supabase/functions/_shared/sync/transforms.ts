import { type MappingRow, reads } from "./mapping/plan.ts";
import { openTransforms, type Transforms } from "./mapping/transform/index.ts";

/** The transforms of one slice: opened when the first record is about to be mapped, closed at the end. */
export interface TransformKeeper {
  open(): Promise<Transforms>;
  /** They have done enough for one slice. */
  tired(): boolean;
  close(): void;
}

export function keepTransforms(rows: readonly MappingRow[]): TransformKeeper {
  let opening: Promise<Transforms> | undefined;
  let opened: Transforms | undefined;
  return {
    async open() {
      opening ??= openTransforms(rows.filter((row) => reads(row.sync_direction)));
      opened = await opening;
      return opened;
    },
    tired: () => opened?.tired() ?? false,
    close: () => opened?.close(),
  };
}
