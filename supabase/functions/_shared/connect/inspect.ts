import { CrmFailure } from "../crm/contract.ts";
import { clientSecret } from "../db/sql/tokens.ts";
import type { User } from "../http/auth.ts";
import { connectionFor } from "./access.ts";
import type { ConnectDeps } from "./deps.ts";
import type { ConfigInput } from "./schemas.ts";

/** A test that fails is an answer, not an error of the call. */
export async function testConnection(deps: ConnectDeps, user: User, input: ConfigInput) {
  const { id, crm_provider: provider } = await connectionFor(deps.db, user, input.config_id, "admin");
  const secret = await clientSecret(deps.db, provider);
  try {
    const account = await deps.withSession({ id, provider }, (session, crm) => crm.identify(session, secret));
    return {
      connected: true,
      account: {
        external_account_id: account.externalAccountId,
        external_account_name: account.externalAccountName,
        instance_url: account.instanceUrl,
        user_email: account.userEmail,
      },
    };
  } catch (error) {
    if (!(error instanceof CrmFailure)) throw error;
    const { kind, code, userMessage } = error.detail;
    return { connected: false, kind, code, message: userMessage };
  }
}
