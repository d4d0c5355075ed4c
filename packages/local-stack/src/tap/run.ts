import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import postgres from "postgres";
import { messageOf } from "../errors.ts";
import { judge, parseTap, type TapTest } from "./parse.ts";

export interface TapResult {
  file: string;
  ok: boolean;
  planned: number | null;
  tests: TapTest[];
  /** One sentence for each thing that is wrong; empty when `ok`. */
  problems: string[];
  durationMs: number;
}

/** Runs pgTAP files one after another, each on a connection of its own as the user of `dbUrl`. */
export async function runPgTap(dbUrl: string, files: string[]): Promise<TapResult[]> {
  const results: TapResult[] = [];
  for (const file of files) results.push(await runFile(dbUrl, file));
  return results;
}

async function runFile(dbUrl: string, file: string): Promise<TapResult> {
  const started = performance.now();
  const text = await scriptOf(file);
  const collected = await collectRows(dbUrl, text);
  const output = parseTap(collected.rows);
  const problems = collected.error ? [collected.error, ...judge(output)] : judge(output);
  return {
    file,
    ok: problems.length === 0,
    planned: output.planned,
    tests: output.tests,
    problems,
    durationMs: Math.round(performance.now() - started),
  };
}

const INCLUDE = /^\\ir[ \t]+(\S+)[ \t]*$/gm;

/** The file with what it includes, as psql's \ir does: named from where the file is. */
async function scriptOf(file: string): Promise<string> {
  const text = await readFile(file, "utf8");
  const names = [...text.matchAll(INCLUDE)].map(([, name = ""]) => name);
  const parts = await Promise.all(names.map((name) => scriptOf(resolve(dirname(file), name))));
  return text.replace(INCLUDE, () => parts.shift() ?? "");
}

/** Sends the file as one script and takes the rows as they come, so that an error does not hide what ran before it. */
async function collectRows(dbUrl: string, text: string): Promise<{ rows: string[]; error?: string }> {
  const sql = postgres(dbUrl, {
    max: 1,
    prepare: false,
    onnotice: () => {},
    connection: { application_name: "pgtap" },
  });
  const rows: string[] = [];
  try {
    await sql
      .unsafe(text)
      .simple()
      .forEach((row) => {
        const [first] = Object.values(row as Record<string, unknown>);
        if (typeof first === "string") rows.push(first);
      });
    return { rows };
  } catch (error) {
    return { rows, error: describeError(text, error) };
  } finally {
    await sql.end({ timeout: 2 });
  }
}

function describeError(text: string, error: unknown): string {
  const { position, where } = error as { position?: string; where?: string };
  const line = position ? ` at line ${text.slice(0, Number(position)).split("\n").length}` : "";
  const context = where ? ` (${where.split("\n")[0]})` : "";
  return `the script failed${line}: ${messageOf(error)}${context}`;
}
