import type { EntityType } from "../../crm/contract.ts";
import { isFenced } from "../../db/types.ts";
import { spent } from "../budget.ts";
import type { EntityEnd } from "../phases.ts";
import type { Slice } from "../slice.ts";
import type { OutboundItem } from "../store.ts";

type Items = readonly OutboundItem[];

/** Pushes one batch. `isLost`: another worker has the run, so nothing may go to the CRM any more. */
export type PushBatch = (items: Items, isLost: () => boolean) => Promise<void>;

/**
 * Pushes what is due, several batches at a time: while one waits for the CRM, the next is taken and looked at. No record is in
 * two of them. When one fails, the others still come to their end, for what the CRM was told has to be settled.
 */
export async function inBatches(slice: Slice, entity: EntityType, push: PushBatch): Promise<EntityEnd> {
  const queue = openQueue(slice, entity);
  const failures: unknown[] = [];
  const isLost = () => failures.some(isFenced);
  const lane = async () => {
    try {
      for (let items = await queue.next(); items !== null; items = await queue.next()) {
        await push(items, isLost);
        queue.done(items);
      }
    } catch (error) {
      failures.push(error);
      queue.close();
    }
  };
  await Promise.all(Array.from({ length: lanes(slice) }, lane));
  if (failures.length > 0) throw failures[0];
  return queue.end();
}

/** An undo sends in its own order. */
function lanes({ claim, crm }: Slice): number {
  return claim.operation === "undo" ? 1 : crm.atOnce.batches;
}

interface Queue {
  /** The next batch; null when there is none that is not under way. */
  next(): Promise<Items | null>;
  done(items: Items): void;
  close(): void;
  end(): EntityEnd;
}

function openQueue(slice: Slice, entity: EntityType): Queue {
  const { deps, run, crm } = slice;
  const underWay = new Set<string>();
  let isClosed = false;
  let isDrained = false;
  let isSpent = false;
  let turn: Promise<unknown> = Promise.resolve();

  const take = async (): Promise<Items | null> => {
    while (!isClosed && !(isDrained && underWay.size > 0)) {
      if (spent(slice)) {
        isSpent = true;
        return null;
      }
      const except = [...underWay];
      const { items, more } = await deps.store.takeOutbound(run, entity, crm.batch.write, { except });
      isDrained = !more && items.length < crm.batch.write;
      if (items.length > 0) {
        for (const { key } of items) underWay.add(key);
        slice.recordsRead += items.length;
        return items;
      }
      // What is under way may leave something to be done: whoever ends last looks once more.
      if (isDrained) isClosed = underWay.size === 0;
    }
    return null;
  };
  return {
    next() {
      const mine = turn.then(take);
      turn = mine.catch(() => {});
      return mine;
    },
    done(items) {
      for (const { key } of items) underWay.delete(key);
    },
    close() {
      isClosed = true;
    },
    end: () => (isSpent ? "out_of_budget" : "done"),
  };
}
