import type { Ports } from "./workbench.ts";

/** The OAuth client that both mocks know. */
export const LOCAL_CRM_CLIENT = { id: "pipeline-crm-local", secret: "local-only-secret" } as const;

/** What an operator sets with `supabase secrets set`, here pointing at the mocks. */
export function crmFunctionsEnv(ports: Ports): Record<string, string> {
  const salesforce = `http://127.0.0.1:${ports.salesforce}`;
  const hubspot = `http://127.0.0.1:${ports.hubspot}`;
  return {
    SALESFORCE_CLIENT_ID: LOCAL_CRM_CLIENT.id,
    SALESFORCE_LOGIN_URL: salesforce,
    SALESFORCE_SANDBOX_LOGIN_URL: salesforce,
    HUBSPOT_CLIENT_ID: LOCAL_CRM_CLIENT.id,
    HUBSPOT_AUTHORIZE_URL: `${hubspot}/oauth/authorize`,
    HUBSPOT_API_URL: hubspot,
    CRM_ALLOWED_HOSTS: `127.0.0.1:${ports.salesforce},127.0.0.1:${ports.hubspot}`,
    CRM_ALLOWED_RETURN_URLS: `http://127.0.0.1:${ports.returnPage}/connected`,
  };
}
