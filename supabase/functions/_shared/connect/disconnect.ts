import { CrmFailure, PROVIDER_NAMES } from "../crm/contract.ts";
import { disconnect as disconnectHere, forgetCredentials } from "../db/sql/connections.ts";
import { clientSecret } from "../db/sql/tokens.ts";
import { traced } from "../db/trace.ts";
import type { CallerTrace } from "../db/types.ts";
import type { User } from "../http/auth.ts";
import type { Logger } from "../log/logger.ts";
import { type ConnectionRow, connectionFor } from "./access.ts";
import type { ConnectDeps } from "./deps.ts";
import type { ConfigInput } from "./schemas.ts";

interface Leaver {
  user: User;
  caller: CallerTrace;
  log: Logger;
}

const GONE = "Disconnected. The records stay; connect the same account again to go on.";

/**
 * Off here first, so that nothing uses the tokens any more; then revoked at the CRM; then forgotten. A CRM that does not
 * answer cannot keep somebody connected. Repeating it after a crash in between does the rest.
 */
export async function disconnect(deps: ConnectDeps, { user, caller, log }: Leaver, input: ConfigInput) {
  const connection = await connectionFor(deps.db, user, input.config_id, "admin");
  const tokens = await traced(deps.db, caller, (db) => disconnectHere(db, { actor: user.id, config: connection.id }));
  const held = tokens?.refresh_token ?? null;
  const failure = held === null ? null : await revoke(deps, connection, held);
  await forgetCredentials(deps.db, connection.id);
  if (failure === null) return { disconnected: true, revoked: held !== null, message: GONE };
  log.warn("revoking at the CRM failed", { config_id: connection.id, error: failure.error });
  return { disconnected: true, revoked: false, message: `${GONE} ${notTold(connection, failure.error)}` };
}

/** Whatever goes wrong here is told and logged; it must not leave the tokens in place. */
async function revoke(
  deps: ConnectDeps,
  connection: ConnectionRow,
  refreshToken: string,
): Promise<{ error: unknown } | null> {
  try {
    const secret = await clientSecret(deps.db, connection.crm_provider);
    const provider = deps.provider(connection.crm_provider);
    await provider.revoke({ refreshToken, clientSecret: secret, environment: connection.environment });
    return null;
  } catch (error) {
    return { error };
  }
}

function notTold({ crm_provider: provider }: ConnectionRow, error: unknown): string {
  const crm = PROVIDER_NAMES[provider];
  const refused = error instanceof CrmFailure && error.detail.kind === "rejected";
  return `${crm} ${refused ? "refused to take" : "could not be told to take"} the access back: remove the app in ${crm}'s own settings.`;
}
