import { CrmFailure, type CrmProvider, type ProviderId } from "../crm/contract.ts";
import { connectionFailed } from "../db/sql/tokens.ts";
import { tokenStore } from "../db/tokenStore.ts";
import type { Db } from "../db/types.ts";
import { keepSession } from "../sync/session.ts";
import type { ConnectDeps } from "./deps.ts";

/** Sessions of stored connections. One that the CRM no longer accepts is marked, so that nothing goes on calling. */
export function sessions(
  db: Db,
  provider: (id: ProviderId) => CrmProvider,
  now: () => Date,
): ConnectDeps["withSession"] {
  return async (connection, call) => {
    const crm = provider(connection.provider);
    const keeper = keepSession({ store: tokenStore(db, connection.id, connection.provider), provider: crm, now });
    try {
      return await keeper.use((session) => call(session, crm));
    } catch (error) {
      if (error instanceof CrmFailure && error.detail.kind === "revoked") {
        await connectionFailed(db, connection.id, error.detail.userMessage);
      }
      throw error;
    }
  };
}
