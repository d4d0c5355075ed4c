import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import type { OAuthState } from "./oauth-store.ts";
import { StartError } from "./start-error.ts";

const scopes = z.array(z.string());
const stateSchema = z.object({
  grants: z.array(
    z.object({
      id: z.string(),
      clientId: z.string(),
      userId: z.string(),
      scopes,
      refreshToken: z.string(),
      createdAt: z.number(),
    }),
  ),
  accessTokens: z.array(
    z.object({
      token: z.string(),
      grantId: z.string().nullable(),
      clientId: z.string(),
      userId: z.string(),
      scopes,
      issuedAt: z.number(),
      expiresAt: z.number(),
    }),
  ),
});

/** Keeps consents over a restart of the mock, as the real provider would. */
export function openStateFile(path: string): { load(): OAuthState | null; save(state: OAuthState): void } {
  return {
    load() {
      if (!existsSync(path)) return null;
      try {
        return stateSchema.parse(JSON.parse(readFileSync(path, "utf8")));
      } catch (cause) {
        throw new StartError(`The state file ${path} is not readable as mock state; delete it to start afresh.`, cause);
      }
    },
    save(state) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
  };
}
