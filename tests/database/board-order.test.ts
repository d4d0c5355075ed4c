import fc from "fast-check";
import type { TransactionSql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newPlace, openSql } from "../support/world.ts";

/** Whatever people do to a board: it reads back in the order of a list in which one moves the cards by hand. */

const SEED = Number(process.env.BOARD_SEED ?? 20261121);
const STAGES = ["lead", "proposal", "won"] as const;

const card = fc.nat(20);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("drop"),
      card,
      behind: fc.option(card, { freq: 4 }),
      stage: fc.constantFrom(...STAGES),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("add"), stage: fc.constantFrom(...STAGES) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete"), card }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("stretch"), to: fc.constantFrom(1e-7, 1e12, Number.POSITIVE_INFINITY) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const sql = openSql();
let workspace = "";
let person = "";

beforeAll(async () => {
  ({ workspace, person } = await newPlace());
});
afterAll(() => sql.end());

class Board {
  readonly columns = new Map<string, string[]>(STAGES.map((stage) => [stage, []]));

  all(): string[] {
    return [...this.columns.values()].flat();
  }

  take(id: string): void {
    for (const [stage, ids] of this.columns)
      this.columns.set(
        stage,
        ids.filter((one) => one !== id),
      );
  }

  put(id: string, stage: string, behind: string | null): void {
    this.take(id);
    const ids = this.columns.get(stage) ?? [];
    ids.splice(behind === null ? 0 : ids.indexOf(behind) + 1, 0, id);
  }
}

const DO: {
  [K in Step["do"]]: (tx: TransactionSql, board: Board, step: Extract<Step, { do: K }>) => Promise<unknown>;
} = {
  // A sync adds cards that nobody has placed: they lie below, the oldest first.
  add: async (tx, board, { stage }) => {
    const [made] = await tx<{ id: string }[]>`
      insert into public.pipeline_projects (workspace_id, name, stage_key, created_by, created_at)
      values (${workspace}, 'Card', ${stage}, ${person}, clock_timestamp()) returning id`;
    board.columns.get(stage)?.push(made?.id ?? "");
  },
  drop: async (tx, board, { card, behind, stage }) => {
    const cards = board.all();
    const id = cards[card % cards.length];
    const column = (board.columns.get(stage) ?? []).filter((one) => one !== id);
    const after = behind === null ? null : (column[behind % column.length] ?? null);
    if (id === undefined) return;
    await tx`select public.place_deal(${id}, ${after}, null, ${stage})`;
    board.put(id, stage, after);
  },
  delete: async (tx, board, { card }) => {
    const id = board.all()[card];
    if (id === undefined) return;
    await tx`update public.pipeline_projects set deleted_at = now() where id = ${id}`;
    board.take(id);
  },
  // Numbers close together, far apart or beyond all numbers, in the same order.
  stretch: (tx, _board, { to }) =>
    to === Number.POSITIVE_INFINITY
      ? tx`
        update public.pipeline_projects p set board_position = 'Infinity'
         where p.workspace_id = ${workspace} and p.deleted_at is null and p.board_position = (
           select max(m.board_position) from public.pipeline_projects m
            where m.workspace_id = p.workspace_id and m.stage_key = p.stage_key and m.deleted_at is null)`
      : tx`update public.pipeline_projects set board_position = board_position * ${to} where workspace_id = ${workspace}`,
};

async function shown(tx: TransactionSql): Promise<Map<string, string[]>> {
  const rows = await tx<{ stage: string; ids: string[] }[]>`
    select stage_key as stage, array_agg(id::text order by board_position nulls last, created_at, id) as ids
      from public.pipeline_projects where workspace_id = ${workspace} and deleted_at is null group by 1`;
  const found = new Map(rows.map(({ stage, ids }) => [stage, ids]));
  return new Map(STAGES.map((stage) => [stage, found.get(stage) ?? []]));
}

test("a board reads back in the order in which its cards were dropped", async () => {
  const undone = new Error("undone");
  const play = (steps: readonly Step[]) =>
    sql
      .begin(async (tx) => {
        const claims = JSON.stringify({ sub: person, role: "authenticated" });
        await tx`select set_config('request.jwt.claims', ${claims}, true)`;
        const board = new Board();
        for (const one of steps) {
          await DO[one.do](tx, board, one as never);
          expect(await shown(tx)).toEqual(board.columns);
        }
        throw undone;
      })
      .catch((error: unknown) => {
        if (error !== undone) throw error;
      });
  const steps = fc.array(step, { minLength: 30, maxLength: 80 });
  await fc.assert(fc.asyncProperty(steps, play), { seed: SEED, numRuns: 10, endOnFailure: true });
}, 60_000);
