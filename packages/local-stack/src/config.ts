import { readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { messageOf, StackError } from "./errors.ts";
import { parseToml } from "./toml.ts";

const functionSchema = z.looseObject({
  enabled: z.boolean().default(true),
  verify_jwt: z.boolean().default(true),
  entrypoint: z.string().optional(),
  import_map: z.string().optional(),
});

const configSchema = z.looseObject({
  api: z
    .looseObject({
      schemas: z.array(z.string()).default(["public"]),
      max_rows: z.number().int().positive().default(1000),
    })
    .prefault({}),
  auth: z
    .looseObject({
      site_url: z.string().default("http://127.0.0.1:3000"),
      additional_redirect_urls: z.array(z.string()).default([]),
      jwt_expiry: z.number().int().positive().default(3600),
      enable_signup: z.boolean().default(true),
      minimum_password_length: z.number().int().positive().default(6),
      email: z.looseObject({ enable_confirmations: z.boolean().default(false) }).prefault({}),
    })
    .prefault({}),
  functions: z.record(z.string(), functionSchema).default({}),
});

export type ProjectConfig = z.infer<typeof configSchema>;

/** supabase/config.toml, the parts that the stack obeys. Ports come from the port base instead. */
export async function readProjectConfig(projectRoot: string): Promise<ProjectConfig> {
  const file = path.join(projectRoot, "supabase", "config.toml");
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  try {
    return configSchema.parse(parseToml(text));
  } catch (error) {
    throw new StackError("bad_setting", `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
