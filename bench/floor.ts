import process from "node:process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Client } from "@hubspot/api-client";
import jsforce from "jsforce";
import postgres from "postgres";

/**
 * The least a first sync can cost: the CRM's own client paging through the contacts, then one COPY of the rows into a
 * table without keys, checks or triggers. Runs in Deno, like the function it is compared with.
 */

interface Job {
  provider: "salesforce" | "hubspot";
  url: string;
  accessToken: string;
  fields: string[];
  dbUrl: string;
}

type Row = (string | null)[];

const fetchRows: Record<Job["provider"], (job: Job) => Promise<Row[]>> = {
  async salesforce({ url, accessToken, fields }) {
    const connection = new jsforce.Connection({ instanceUrl: url, accessToken, version: "62.0" });
    const columns = ["Id", "SystemModstamp", "IsDeleted", "OwnerId", "AccountId", ...fields];
    const soql = `SELECT ${columns.join(", ")} FROM Contact ORDER BY SystemModstamp, Id`;
    const rows: Row[] = [];
    let page = await connection.query(soql, { autoFetch: false });
    for (;;) {
      for (const record of page.records) rows.push(columns.map((column) => text(record[column])));
      if (page.done || page.nextRecordsUrl === undefined) return rows;
      page = await connection.queryMore(page.nextRecordsUrl);
    }
  },
  async hubspot({ url, accessToken, fields }) {
    const { basicApi } = new Client({ accessToken, basePath: url }).crm.contacts;
    const properties = ["lastmodifieddate", "hubspot_owner_id", ...fields];
    const rows: Row[] = [];
    for (let after: string | undefined; ; ) {
      const page = await basicApi.getPage(100, after, properties, undefined, ["companies"], false);
      for (const record of page.results) {
        const company = record.associations?.companies?.results[0]?.id ?? null;
        rows.push([record.id, company, ...properties.map((name) => record.properties[name] ?? null)]);
      }
      after = page.paging?.next?.after;
      if (after === undefined) return rows;
    }
  },
};

function text(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}

async function copyRows(dbUrl: string, rows: readonly Row[]): Promise<void> {
  const sql = postgres(dbUrl, { max: 1, onnotice: () => {} });
  const columns = (rows[0] ?? []).map((_, index) => `c${index} text`).join(", ");
  await sql.unsafe(`drop table if exists bench_floor; create table bench_floor (${columns})`);
  const target = await sql`copy bench_floor from stdin`.writable();
  await pipeline(Readable.from(chunks(rows)), target);
  await sql.unsafe("drop table bench_floor");
  await sql.end();
}

function* chunks(rows: readonly Row[], size = 1000): Generator<string> {
  for (let from = 0; from < rows.length; from += size) {
    const lines = rows.slice(from, from + size).map((row) => row.map(escaped).join("\t"));
    yield `${lines.join("\n")}\n`;
  }
}

function escaped(value: string | null): string {
  if (value === null) return "\\N";
  return value.replaceAll("\\", "\\\\").replaceAll("\t", "\\t").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
}

const job = JSON.parse(process.argv[2] ?? "") as Job;
const began = performance.now();
const rows = await fetchRows[job.provider](job);
const fetched = performance.now();
await copyRows(job.dbUrl, rows);
const copied = performance.now();
const seconds = (ms: number) => Math.round(ms) / 1000;
process.stdout.write(
  `${JSON.stringify({ rows: rows.length, seconds: seconds(copied - began), fetch_seconds: seconds(fetched - began) })}\n`,
);
