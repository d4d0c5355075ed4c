import { randomUUID } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { connectCrm } from "../../scripts/lib/oauth-browser.ts";
import { type Client, createAndSignIn } from "../../scripts/lib/people.ts";
import { onFreePorts } from "../../scripts/lib/ports.ts";
import { startWorkbench, type Workbench } from "../../scripts/lib/workbench.ts";
import type { CrmName } from "../convergence/lib/fields.ts";
import { Ledger } from "../convergence/lib/ledger.ts";
import { CRMS, type Scene } from "../convergence/lib/scene.ts";
import { appSystem, crmSystem, type Levers } from "../convergence/lib/systems.ts";
import { functionPid } from "./two-way.ts";
import { controlAt, newPerson } from "./world.ts";

/** A stack of its own with two empty CRMs, both connected to one workspace, and the real functions between them. */
export interface Arena extends Scene {
  owner: Client;
  pid(): number;
  latency(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startArena(firstPort: number): Promise<Arena> {
  const dataDir = await mkdtemp(join(tmpdir(), "pipeline-crm-arena-"));
  // Run by root, the database server is another user, who must be able to get in.
  await chmod(dataDir, 0o755);
  const workbench = await onFreePorts(firstPort, (portBase) =>
    startWorkbench({ portBase, dataDir, say: () => {}, emptyCrms: true }),
  );
  const sql = postgres(workbench.stack.dbUrl, { max: 2, onnotice: () => {} });
  const owner = await createAndSignIn(workbench.stack, newPerson("owner", randomUUID().slice(0, 8)));
  const { data, error } = await owner.rpc("create_workspace", { name: "Arena" });
  if (error) throw error;
  const workspace = data.id;
  const configs = {} as Record<CrmName, string>;
  for (const name of CRMS) configs[name] = await connected(workbench, owner, name, workspace);
  const crms = {
    salesforce: crmSystem("salesforce", levers(workbench.mocks.salesforce.url)),
    hubspot: crmSystem("hubspot", levers(workbench.mocks.hubspot.url)),
  };
  return {
    sql,
    workspace,
    owner,
    configs,
    crms,
    app: appSystem(sql, workspace),
    ledger: new Ledger(),
    pid: () => functionPid("crm-sync", dataDir),
    async latency(latencyMs) {
      for (const name of CRMS) await controlAt(workbench.mocks[name].url, "knobs", { latencyMs });
    },
    async stop() {
      await sql.end();
      await workbench.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Deletions go both ways. A scheduled run in between would be nobody's. */
async function connected(bench: Workbench, owner: Client, provider: CrmName, workspaceId: string): Promise<string> {
  const id = await connectCrm(owner, { provider, workspaceId, returnUrl: bench.returnUrl });
  const settings = { sync_frequency: "manual", sync_rules: { delete_when_deleted: true, delete_in_crm: true } };
  const { error } = await owner.from("crm_sync_configs").update(settings).eq("id", id);
  if (error) throw error;
  return id;
}

function levers(url: string): Levers {
  return {
    list: async (type, from, count) => {
      const page = await controlAt<{ records: unknown[] }>(url, `records?type=${type}&from=${from}&count=${count}`);
      return page.records;
    },
    records: (actions) => controlAt(url, "records", { actions }),
    counters: () => controlAt<{ rows_written: number }>(url, "counters"),
  };
}
