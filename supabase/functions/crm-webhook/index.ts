import { signingSecrets } from "../_shared/db/sql/tokens.ts";
import { acceptOutboundMessage, acceptWebhook } from "../_shared/db/sql/webhooks.ts";
import { serve } from "../_shared/http/serve.ts";
import { remembered } from "../_shared/webhook/remember.ts";
import { webhookRoutes } from "../_shared/webhook/routes.ts";
import { webhookSettings } from "../_shared/webhook/settings.ts";

/** Messages of the CRMs about changed records: checked, noted, answered. A sync fetches the records. */
serve("crm-webhook", ({ db, env, now }) =>
  webhookRoutes({
    settings: () => webhookSettings(env),
    hubspotSecrets: remembered(() => signingSecrets(db, "hubspot"), now),
    accept: (events) => acceptWebhook(db, "hubspot", events),
    acceptMessage: (secret, organization, events) => acceptOutboundMessage(db, secret, organization, events),
    now,
  }),
);
