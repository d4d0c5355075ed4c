import { ENTITY_TYPES } from "../../../supabase/functions/_shared/crm/contract.ts";
import { ENTITIES } from "./fields.ts";
import type { Edit } from "./ledger.ts";
import type { Scene } from "./scene.ts";

/**
 * Values that our side showed once and shows no more. Each is written once only, by one person: when it is back after a run,
 * a run has taken back what came after it, be it only until the next one.
 */
export class Memory {
  #shown = new Set<string>();
  readonly #gone = new Set<string>();

  /** Answers which values are back. */
  look(values: ReadonlySet<string>): string[] {
    for (const value of this.#shown) if (!values.has(value)) this.#gone.add(value);
    this.#shown = new Set(values);
    const back = [...values].filter((value) => this.#gone.has(value));
    for (const value of back) this.#gone.delete(value);
    return back;
  }
}

export async function revivals(scene: Scene, memory: Memory): Promise<string[]> {
  const rows = await Promise.all(ENTITY_TYPES.map((entity) => scene.app.list(entity)));
  const values = rows.flat().flatMap((row) => Object.values(row.values).filter((value) => value !== null));
  const back = new Set(memory.look(new Set(values)));
  const edits = scene.ledger.edits.filter(({ value, marker }) => back.has(value) && !scene.ledger.isTouchy(marker));
  const traced = await Promise.all(edits.map((edit) => metAnew(scene, edit)));
  return edits
    .filter((_, index) => !traced[index])
    .map(({ entity, marker, field, value }) => `${entity} ${marker}: a run brought "${value}" back to ${field}`);
}

/** Of a create whose answer was lost nobody knows what the two sides had agreed on: there a strategy decides, on record. */
async function metAnew({ sql, workspace }: Scene, { entity, field, value }: Edit): Promise<boolean> {
  const kind = ENTITIES[entity].fields.find(({ app }) => app === field)?.kind;
  const asJson = kind === "number" ? Number(value) : value;
  const rows = await sql`
    select 1 from public.crm_sync_conflicts
     where workspace_id = ${workspace} and entity_type = ${entity} and crm_data -> ${field} = ${sql.json(asJson)}
       and coalesce(base -> ${field}, 'null') = 'null'`;
  return rows.length > 0;
}
