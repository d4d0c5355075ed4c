import { connectionFor } from "../connect/access.ts";
import { fromRow } from "../db/sql/fields.ts";
import { addMappings, rulesOf } from "../db/sql/mappings.ts";
import type { CallerTrace } from "../db/types.ts";
import type { User } from "../http/auth.ts";
import { autoMap } from "../sync/defaults/index.ts";
import type { MapperDeps } from "./deps.ts";
import { fieldsOf } from "./fields.ts";
import type { AutoMapInput } from "./schemas.ts";

/** What could be mapped beside what is; inserted only where that is asked for, and never in the place of anything. */
export async function proposeMappings(deps: MapperDeps, user: User, caller: CallerTrace, input: AutoMapInput) {
  const connection = await connectionFor(deps.db, user, input.config_id, input.apply ? "admin" : "member");
  const { rows } = await fieldsOf(deps, connection, input.entity_type);
  const { mappings } = await rulesOf(deps.db, connection.id);
  const proposals = autoMap(connection.crm_provider, input.entity_type, rows.map(fromRow), mappings);
  const sure = input.apply ? proposals.filter(({ confidence }) => confidence >= input.min_confidence) : [];
  const by = { user: user.id, caller };
  const added = new Set(sure.length === 0 ? [] : await addMappings(deps.db, by, connection.id, sure));
  return {
    entity_type: input.entity_type,
    proposals: proposals.map((proposal) => ({ ...proposal, applied: added.has(proposal.app_field) })),
    applied: added.size,
  };
}
