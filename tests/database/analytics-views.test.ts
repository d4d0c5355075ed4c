import fc from "fast-check";
import type { TransactionSql } from "postgres";
import { afterAll, describe, expect, test } from "vitest";
import { readRecords } from "../support/naive-analytics.ts";
import { AGEING, RISKS, SLIPPED } from "../support/naive-views/deals.ts";
import { CONVERSION, CYCLE, FUNNEL, TIMES, TREND, VELOCITY, WIN_LOSS } from "../support/naive-views/months.ts";
import { shown } from "../support/naive-views/view.ts";
import { COVERAGE, DASHBOARD, LEARNED, setTargets } from "../support/naive-views/whole.ts";
import { inWorkspace, Pipeline, step } from "../support/pipeline-histories.ts";
import { openSql } from "../support/world.ts";

/** Each view against the same worked out naively from the records, after histories by chance. */

const SEED = Number(process.env.ANALYTICS_SEED ?? 20261121);
const CASES = Number(process.env.ANALYTICS_CASES ?? 6);

const VIEWS = [
  CONVERSION,
  FUNNEL,
  TIMES,
  CYCLE,
  VELOCITY,
  TREND,
  WIN_LOSS,
  SLIPPED,
  AGEING,
  RISKS,
  COVERAGE,
  LEARNED,
  DASHBOARD,
];

describe("what the views say", () => {
  const sql = openSql();
  afterAll(() => sql.end());

  test(`is what the records say, followed change by change and counted from scratch (${CASES} histories, seed ${SEED})`, async () => {
    const seen = new Map<string, number>();
    const compare = async (tx: TransactionSql, workspace: string, how: string) => {
      const records = await readRecords(tx, workspace);
      for (const { view, key, columns, naive } of VIEWS) {
        const expected = naive(records);
        expect(await shown(tx, workspace, view, key, columns), `${view}, ${how}`).toEqual(expected);
        seen.set(view, (seen.get(view) ?? 0) + Object.keys(expected).length);
      }
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 90, size: "max" }), (steps) =>
        inWorkspace(sql, async (tx, workspace) => {
          await setTargets(tx, workspace);
          const pipeline = new Pipeline(tx, workspace);
          for (const each of steps) await pipeline.take(each);
          await tx`select private.refresh_workspace(${workspace}, 100000)`;
          await compare(tx, workspace, "followed");
          await tx`select private.rebuild_analytics(${workspace})`;
          await compare(tx, workspace, "counted from scratch");
        }),
      ),
      { seed: SEED, numRuns: CASES, endOnFailure: true },
    );
    // Views without rows would agree with anything.
    for (const { view } of VIEWS) expect(seen.get(view), view).toBeGreaterThanOrEqual(CASES);
  });
});
