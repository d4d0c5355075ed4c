import { App } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import { databaseUrl, LOCAL_KEYS } from "../settings.ts";

/** Run as a process of its own by the bootstrap: makes the auth and migration tables that Lite works with. */
const connection = createPostgresConnection({
  url: databaseUrl("supabase_admin", Number(process.argv[2])),
  postgresOptions: { max: 1, onnotice: () => {} },
});
const app = new App({
  connection,
  auth: { enabled: true, jwt_secret: LOCAL_KEYS.jwtSecret },
  storage: { enabled: false },
});
await app.ensureSystemSchema();
await connection.close();
