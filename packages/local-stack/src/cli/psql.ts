import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import Table from "cli-table3";
import postgres from "postgres";
import { messageOf } from "../errors.ts";

/** The real psql when there is one on the PATH, else a small one that runs statements and prints their rows. */
export async function openPsql(dbUrl: string, args: readonly string[]): Promise<number> {
  if (spawnSync("psql", ["--version"], { stdio: "ignore" }).status === 0) {
    const child = spawn("psql", [dbUrl, ...args], { stdio: "inherit" });
    process.on("SIGINT", () => {});
    const [code] = await once(child, "exit");
    return (code as number | null) ?? 1;
  }
  return smallClient(dbUrl);
}

async function smallClient(dbUrl: string): Promise<number> {
  const sql = postgres(dbUrl, { max: 1, prepare: false, onnotice: (notice) => console.error(notice.message) });
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: "postgres=> " });
  let statement = "";
  let failed = false;
  lines.prompt();
  for await (const line of lines) {
    if (statement === "" && /^\s*(\\q|exit|quit)\s*;?\s*$/.test(line)) break;
    statement += `${line}\n`;
    if (!/;\s*$/.test(line)) continue;
    await sql.unsafe(statement).then(printResult, (error: unknown) => {
      failed = true;
      console.error(`ERROR:  ${messageOf(error)}`);
    });
    statement = "";
    lines.prompt();
  }
  await sql.end();
  return failed && !process.stdin.isTTY ? 1 : 0;
}

function printResult(result: postgres.RowList<postgres.Row[]>): void {
  if (result.columns === undefined || result.columns.length === 0) {
    console.log(`${result.command ?? "OK"}${result.count ? ` ${result.count}` : ""}`);
    return;
  }
  const names = result.columns.map((column) => column.name);
  const table = new Table({ head: names, style: { head: [] } });
  for (const row of result) table.push(names.map((name) => toText(row[name])));
  console.log(`${table.toString()}\n(${result.length} ${result.length === 1 ? "row" : "rows"})`);
}

function toText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
