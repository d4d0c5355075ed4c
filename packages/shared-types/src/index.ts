/** What a client imports: the generated database types and the contracts of the Edge Functions. */
export type { Database, Json } from "./database.types.ts";
export * from "./functions.ts";
