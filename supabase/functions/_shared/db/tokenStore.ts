import type { TokenStore } from "../sync/session.ts";
import { clientSecret, loadSession, lockTokens, storeTokens } from "./sql/tokens.ts";
import type { Db } from "./types.ts";

/** The tokens of one connection, in Vault. */
export function tokenStore(db: Db, config: string, provider: string): TokenStore {
  return {
    load: () => loadSession(db, config),
    store: (version, tokens) => storeTokens(db, config, version, tokens),
    clientSecret: () => clientSecret(db, provider),
    exclusively: (run) =>
      db.tx(async (tx) => {
        await lockTokens(tx, config);
        return run(tokenStore(tx, config, provider));
      }),
  };
}
