import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import {
  type Cluster,
  clusteredRate,
  commonShareOf,
} from "../../supabase/functions/_shared/planning/probability/clusters.ts";
import { betaQuantile } from "../../supabase/functions/_shared/planning/stats/beta.ts";
import { openSql } from "../support/world.ts";

const SEED = Number(process.env.RATES_SEED ?? 20261121);

/** Digits after the point in which SQL and TypeScript agree. */
const DIGITS = 9;

describe("learned rates in SQL", () => {
  const sql = openSql();
  afterAll(() => sql.end());

  test("know the Beta distribution as the functions do, at 60 points from the middle to the tails", async () => {
    const shape = fc.double({ min: -3, max: 6, noNaN: true }).map((power) => 10 ** power);
    const points = fc.sample(fc.tuple(fc.double({ min: 0.000001, max: 0.999999, noNaN: true }), shape, shape), {
      seed: SEED,
      numRuns: 60,
    });
    const answers = await sql<{ x: number }[]>`
      select private.beta_quantile(v.p, v.a, v.b) as x
        from jsonb_to_recordset(${sql.json(points.map(([p, a, b], place) => ({ place, p, a, b })))})
          as v (place int, p float8, a float8, b float8)
       order by v.place`;
    expect(answers).toHaveLength(60);
    for (const [index, [p, a, b]] of points.entries()) {
      expect(answers[index]?.x, `quantile ${p} of Beta(${a}, ${b})`).toBeCloseTo(betaQuantile(p, a, b), DIGITS);
    }
  });

  test("are those of the core, for closings of up to forty months by chance", async () => {
    const month = fc
      .record({ wins: fc.nat(60), losses: fc.nat(60) })
      .map(({ wins, losses }) => ({ wins, trials: wins + losses }));
    const cases = fc.record({
      months: fc.array(month, { maxLength: 40 }),
      weight: fc.integer({ min: 1, max: 200 }),
      percent: fc.integer({ min: 0, max: 100 }),
    });
    let correlated = 0;
    await fc.assert(
      fc.asyncProperty(cases, async ({ months, weight, percent }) => {
        const clusters: Cluster[] = months.filter(({ trials }) => trials > 0);
        const learned = await learn(clusters, weight, percent);
        const share = commonShareOf(clusters);
        if (share > 0.2) correlated++;
        const { rate, n, low, high } = clusteredRate(clusters, { rate: percent / 100, weight }, share);
        expect(learned.trials).toBe(n);
        expect(learned.share).toBeCloseTo(share, DIGITS);
        expect(learned.rate).toBeCloseTo(rate, DIGITS);
        expect(learned.low).toBeCloseTo(low, DIGITS);
        expect(learned.high).toBeCloseTo(high, DIGITS);
      }),
      { seed: SEED, numRuns: 40 },
    );
    // Months that are all alike would prove little.
    expect(correlated).toBeGreaterThan(5);
  });

  interface Learned {
    trials: number;
    rate: number;
    low: number;
    high: number;
    share: number;
  }

  async function learn(clusters: readonly Cluster[], weight: number, percent: number): Promise<Learned> {
    const user = randomUUID();
    let learned: Learned | undefined;
    const undone = new Error("undone");
    await sql
      .begin(async (tx) => {
        await tx`insert into auth.users (id, email, aud, role) values (${user}, ${`${user}@example.test`}, 'authenticated', 'authenticated')`;
        const [own] = await tx<{ id: string }[]>`select id from public.workspaces where created_by = ${user}`;
        const workspace = own?.id ?? "";
        await tx`update public.planning_settings set prior_weight = ${weight} where workspace_id = ${workspace}`;
        await tx`update public.pipeline_stages set default_probability = ${percent} where workspace_id = ${workspace} and key = 'proposal'`;
        await tx`
          insert into public.analytics_stage_closings (workspace_id, month, stage_key, won, lost)
          select ${workspace}, ('2020-01-01'::date + make_interval(months => c.place))::date, 'proposal', c.won, c.lost
            from jsonb_to_recordset(${tx.json(clusters.map(({ wins, trials }, place) => ({ place, won: wins, lost: trials - wins })))})
              as c (place int, won int, lost int)`;
        await tx`select private.learn_stage_rates(${workspace})`;
        [learned] = await tx<Learned[]>`
          select trials, rate, low, high, common_share as share from public.analytics_stage_rates
           where workspace_id = ${workspace} and stage_key = 'proposal'`;
        throw undone;
      })
      .catch((error) => {
        if (error !== undone) throw error;
      });
    if (learned === undefined) throw new Error("Nothing was learned.");
    return learned;
  }
});
