import type { Sql, TransactionSql } from "postgres";
import type { Viewer } from "./visibility.ts";

export type Extension = "broadcast" | "presence";
export type Permissions = Record<Extension, boolean>;

const EXTENSIONS: readonly Extension[] = ["broadcast", "presence"];
const INSUFFICIENT_PRIVILEGE = "42501";

/** Ends a probing transaction: whatever the policies let happen is taken back. */
class Rollback extends Error {
  readonly permissions: Permissions;

  constructor(permissions: Permissions) {
    super("probe finished");
    this.permissions = permissions;
  }
}

/** May the viewer read the topic? A probe row per extension is inserted and looked up with the viewer's eyes. */
export function readPermissions(sql: Sql, topic: string, viewer: Viewer): Promise<Permissions> {
  return probe(sql, async (transaction) => {
    const probes = await transaction<{ id: string; extension: Extension }[]>`
      insert into realtime.messages (topic, extension)
      select ${topic}, unnest(${[...EXTENSIONS]}::text[]) returning id::text, extension`;
    await becomeViewer(transaction, topic, viewer);
    const seen = await transaction<{ extension: Extension }[]>`
      select extension from realtime.messages where id = any (${probes.map(({ id }) => id)}::uuid[])`;
    return permissionsFrom((extension) => seen.some((row) => row.extension === extension));
  });
}

/** May the viewer send to the topic? Tries the insert a message would be. */
export function writePermissions(sql: Sql, topic: string, viewer: Viewer): Promise<Permissions> {
  return probe(sql, async (transaction) => {
    await becomeViewer(transaction, topic, viewer);
    const allowed = new Set<Extension>();
    for (const extension of EXTENSIONS) {
      if (await mayInsert(transaction, topic, extension)) allowed.add(extension);
    }
    return permissionsFrom((extension) => allowed.has(extension));
  });
}

async function mayInsert(transaction: TransactionSql, topic: string, extension: Extension): Promise<boolean> {
  try {
    await transaction.savepoint(
      (nested) => nested`insert into realtime.messages (topic, extension) values (${topic}, ${extension})`,
    );
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === INSUFFICIENT_PRIVILEGE) return false;
    throw error;
  }
}

async function probe(sql: Sql, check: (transaction: TransactionSql) => Promise<Permissions>): Promise<Permissions> {
  try {
    return await sql.begin(async (transaction) => {
      throw new Rollback(await check(transaction));
    });
  } catch (error) {
    if (error instanceof Rollback) return error.permissions;
    throw error;
  }
}

async function becomeViewer(transaction: TransactionSql, topic: string, viewer: Viewer): Promise<void> {
  const claims = JSON.parse(viewer.claimsText) as { sub?: unknown };
  const subject = typeof claims.sub === "string" ? claims.sub : "";
  await transaction`
    select set_config('role', ${viewer.role}, true), set_config('realtime.topic', ${topic}, true),
           set_config('request.jwt.claims', ${viewer.claimsText}, true),
           set_config('request.jwt.claim.sub', ${subject}, true),
           set_config('request.jwt.claim.role', ${viewer.role}, true),
           set_config('request.headers', '{}', true)`;
}

function permissionsFrom(isAllowed: (extension: Extension) => boolean): Permissions {
  return { broadcast: isAllowed("broadcast"), presence: isAllowed("presence") };
}
