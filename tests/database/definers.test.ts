import { readFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROJECT_ROOT } from "../../scripts/lib/workbench.ts";
import { bench } from "../support/bench.ts";

interface Definer {
  signature: string;
  ownerIsSuperuser: boolean;
  hasEmptySearchPath: boolean;
  anonMayCall: boolean;
}

/** Rows of the one table in docs/security.md whose first cell is a whole signature: | `schema.name(args)` | reason | */
const ROW = /^\|\s*`([a-z_]+\.[a-z_]+\([^`]*\))`\s*\|\s*(.*?)\s*\|\s*$/gm;

function listedInTheDocs(): Map<string, string> {
  const text = readFileSync(join(PROJECT_ROOT, "docs", "security.md"), "utf8");
  return new Map([...text.matchAll(ROW)].map(([, signature = "", reason = ""]) => [signature, reason]));
}

/** Everything ours that runs with its owner's rights, in whatever schema; what extensions and the platform bring is theirs. */
function readDefiners(sql: postgres.Sql): Promise<Definer[]> {
  return sql<Definer[]>`
    select format('%s.%s(%s)', p.pronamespace::regnamespace, p.proname, oidvectortypes(p.proargtypes)) as signature,
      (select rolsuper from pg_catalog.pg_roles r where r.oid = p.proowner) as "ownerIsSuperuser",
      coalesce(p.proconfig @> array['search_path=""'], false) as "hasEmptySearchPath",
      has_function_privilege('anon', p.oid, 'execute') as "anonMayCall"
    from pg_catalog.pg_proc p
    where p.prosecdef
      and (p.proowner = 'postgres'::regrole or p.pronamespace in ('public'::regnamespace, 'private'::regnamespace))
      and not exists (select from pg_catalog.pg_depend d where d.objid = p.oid and d.deptype = 'e')
    order by 1`;
}

describe("functions that run with the rights of their owner", () => {
  const sql = postgres(bench().dbUrl, { max: 1, onnotice: () => {} });
  const listed = listedInTheDocs();
  let definers: Definer[];

  const those = (wrong: (definer: Definer) => boolean) => definers.filter(wrong).map(({ signature }) => signature);

  beforeAll(async () => {
    definers = await readDefiners(sql);
  });
  afterAll(() => sql.end());

  test("are the ones that docs/security.md lists, and no others", () => {
    expect([...listed.keys()].sort()).toEqual(definers.map(({ signature }) => signature).sort());
  });

  test("are listed with a reason each", () => {
    expect([...listed].filter(([, reason]) => reason.length < 10).map(([signature]) => signature)).toEqual([]);
  });

  test("have an empty search path, no superuser as owner, and are closed to anon", () => {
    expect(those((definer) => !definer.hasEmptySearchPath)).toEqual([]);
    expect(those((definer) => definer.ownerIsSuperuser)).toEqual([]);
    expect(those((definer) => definer.anonMayCall)).toEqual([]);
  });
});
