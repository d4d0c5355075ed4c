import type { CrmProvider, CrmSession, ProviderId } from "../crm/contract.ts";
import type { Db } from "../db/types.ts";
import type { Random } from "./secrets.ts";
import type { ConnectSettings } from "./settings.ts";

export interface ConnectDeps {
  db: Db;
  /** Read per call: a wrong setting refuses the call with a sentence instead of stopping the function. */
  settings: () => ConnectSettings;
  provider: (id: ProviderId) => CrmProvider;
  /** Runs a call with a token that works, renewing it where needed. */
  withSession: <T>(
    connection: { id: string; provider: ProviderId },
    call: (session: CrmSession, provider: CrmProvider) => Promise<T>,
  ) => Promise<T>;
  random: Random;
}
