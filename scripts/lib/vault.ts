import postgres from "postgres";

/** Stores secrets in the project's Vault by name, replacing what is there (bind parameters: nothing reaches a statement log). */
export async function storeSecrets(dbUrl: string, secrets: Record<string, string>): Promise<void> {
  const sql = postgres(dbUrl, { max: 1, onnotice: () => {} });
  try {
    for (const [name, value] of Object.entries(secrets)) {
      const [known] = await sql<{ id: string }[]>`select id from vault.secrets where name = ${name}`;
      if (known) await sql`select vault.update_secret(${known.id}::uuid, ${value})`;
      else await sql`select vault.create_secret(${value}, ${name})`;
    }
  } finally {
    await sql.end();
  }
}
