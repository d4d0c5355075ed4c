import { createRandom } from "../../../packages/mock-crm/src/shared/random.ts";
import { type Bed, connectMock, newWorkspace } from "./bed.ts";
import type { Command, History, Trouble } from "./commands.ts";
import { type CrmName, ENTITIES, valueOf } from "./fields.ts";
import { Ledger } from "./ledger.ts";
import { runConnection } from "./run.ts";
import { appSystem, type CrmSystem, crmSystem, type Row, type System } from "./systems.ts";

export const CRMS = ["salesforce", "hubspot"] as const satisfies readonly CrmName[];

/** Where a history takes place. */
export interface Stage {
  bed: Bed;
  workspace: string;
  owner: string;
  configs: Record<CrmName, string>;
  app: System;
  crms: Record<CrmName, CrmSystem>;
  ledger: Ledger;
  random: () => number;
}

export async function openStage(bed: Bed, { rules, seed }: History): Promise<Stage> {
  for (const name of CRMS) bed.mocks[name].control.reset();
  const whose = await newWorkspace(bed);
  const configs = {} as Record<CrmName, string>;
  for (const name of CRMS) {
    configs[name] = await connectMock(bed, name, whose);
    const { strategy, deleteWhenDeleted, deleteInCrm } = rules[name];
    const settings = { delete_when_deleted: deleteWhenDeleted, delete_in_crm: deleteInCrm };
    await bed.sql`
      update public.crm_sync_configs set conflict_resolution = ${strategy}, sync_rules = ${bed.sql.json(settings)}
       where id = ${configs[name]}`;
  }
  const crms = { salesforce: crmSystem("salesforce", bed.mocks.salesforce), hubspot: crmSystem("hubspot", bed.mocks.hubspot) };
  return { bed, ...whose, configs, crms, app: appSystem(bed.sql, whose.workspace), ledger: new Ledger(), random: createRandom(seed) };
}

export async function play(stage: Stage, commands: readonly Command[]): Promise<void> {
  for (const command of commands) await PLAYS[command.do](stage, command as never);
}

type Plays = { [C in Command["do"]]: (stage: Stage, command: Extract<Command, { do: C }>) => Promise<void> };

const PLAYS: Plays = {
  async create(stage, { system, entity, field }) {
    const number = stage.ledger.next();
    const marker = `${entity.slice(0, 1)}${number}-${stage.workspace.slice(0, 8)}`;
    const chosen = fieldOf(entity, field);
    const value = valueOf(chosen.kind, number);
    await systemOf(stage, system).create(entity, marker, chosen, value);
    stage.ledger.edited({ entity, marker, field: chosen.app, value, by: system }, null);
  },
  async edit(stage, { system, entity, pick, field }) {
    const row = await chosenRow(systemOf(stage, system), entity, pick);
    if (row === null) return;
    const chosen = fieldOf(entity, field);
    const value = valueOf(chosen.kind, stage.ledger.next());
    await systemOf(stage, system).edit(entity, row.id, chosen, value);
    stage.ledger.edited({ entity, marker: row.marker, field: chosen.app, value, by: system }, row.values[chosen.app] ?? null);
  },
  async remove(stage, { system, entity, pick }) {
    const row = await chosenRow(systemOf(stage, system), entity, pick);
    if (row === null) return;
    await systemOf(stage, system).remove(entity, row.id);
    stage.ledger.removed(row.marker, row.values);
  },
  async undelete(stage, { entity, pick }) {
    const gone = (stage.crms.salesforce.mock.control.state().recycled ?? {}) as Record<string, string[]>;
    const ids = gone[ENTITIES[entity].salesforce] ?? [];
    const id = ids[pick % Math.max(1, ids.length)];
    if (id !== undefined) await stage.crms.salesforce.undelete(entity, id);
  },
  async restore(stage, { entity, pick }) {
    const { sql } = stage.bed;
    const rows = await sql<{ id: string }[]>`
      select id from ${sql(`public.${ENTITIES[entity].table}`)}
       where workspace_id = ${stage.workspace} and deleted_at is not null order by created_at, id`;
    const row = rows[pick % Math.max(1, rows.length)];
    if (row !== undefined) await sql`update ${sql(`public.${ENTITIES[entity].table}`)} set deleted_at = null where id = ${row.id}`;
  },
  async merge(stage, { system, entity, pick, other }) {
    const crm = stage.crms[system];
    const winner = await chosenRow(crm, entity, pick);
    const loser = await chosenRow(crm, entity, other);
    if (winner === null || loser === null || winner.id === loser.id) return;
    await crm.merge(entity, winner.id, loser.id);
    for (const row of [winner, loser]) stage.ledger.removed(row.marker, row.values);
  },
  async sync(stage, { system, deaths }) {
    await runConnection(stage.bed, { config: stage.configs[system], random: stage.random, deaths });
  },
  async trouble(stage, { system, trouble }) {
    TROUBLE[trouble](stage.crms[system]);
  },
};

const TROUBLE: Record<Trouble, (crm: CrmSystem) => void> = {
  limited: ({ mock }) => void mock.control.knobs({ next429: 3 }),
  flaky: ({ mock }) => void mock.control.knobs({ errorRate: 0.1 }),
  lost_replies: ({ mock }) => void mock.control.knobs({ lostReplyRate: 0.1 }),
  expired_token: ({ mock }) => mock.control.expireTokens(),
  rotating_tokens: ({ mock }) => void mock.control.knobs({ rotateRefreshTokens: true }),
  search_lag: ({ mock }) => void mock.control.knobs({ searchLagMs: 30 }),
  clock_ahead: ({ mock }) => void mock.control.knobs({ clockOffsetMs: 90_000 }),
  clock_behind: ({ mock }) => void mock.control.knobs({ clockOffsetMs: -90_000 }),
};

function systemOf(stage: Stage, name: System["name"]): System {
  return name === "app" ? stage.app : stage.crms[name];
}

function fieldOf(entity: keyof typeof ENTITIES, field: number) {
  const { fields } = ENTITIES[entity];
  const chosen = fields[field % fields.length];
  if (chosen === undefined) throw new Error(`${entity} has no fields to edit.`);
  return chosen;
}

async function chosenRow(system: System, entity: keyof typeof ENTITIES, pick: number): Promise<Row | null> {
  const rows = await system.list(entity);
  return rows[pick % Math.max(1, rows.length)] ?? null;
}
