import type { Mock } from "../../../packages/mock-crm/src/index.ts";
import { createRandom } from "../../../packages/mock-crm/src/shared/random.ts";
import { type Bed, connectMock, newWorkspace } from "./bed.ts";
import type { Command, History, Trouble } from "./commands.ts";
import { type CrmName, ENTITIES } from "./fields.ts";
import { Ledger } from "./ledger.ts";
import { chosenRow, DOINGS } from "./people.ts";
import { runConnection } from "./run.ts";
import { CRMS, type Scene } from "./scene.ts";
import { appSystem, crmSystem } from "./systems.ts";

/** Where a history takes place. */
export interface Stage extends Scene {
  bed: Bed;
  random: () => number;
}

export async function openStage(bed: Bed, { rules, seed }: History): Promise<Stage> {
  for (const name of CRMS) bed.mocks[name].control.reset();
  calm(bed, { rules });
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
  const crms = {
    salesforce: crmSystem("salesforce", bed.mocks.salesforce.control),
    hubspot: crmSystem("hubspot", bed.mocks.hubspot.control),
  };
  const { workspace } = whose;
  const app = appSystem(bed.sql, workspace);
  return { bed, sql: bed.sql, workspace, configs, crms, app, ledger: new Ledger(), random: createRandom(seed) };
}

/** Takes all trouble away, but for clocks that are off. */
export function calm(bed: Bed, { rules }: Pick<History, "rules">): void {
  for (const name of CRMS) {
    const { control } = bed.mocks[name];
    control.reset({ data: false, counters: false });
    control.knobs({ clockOffsetMs: rules[name].clockSkewMs });
  }
}

export async function play(stage: Stage, commands: readonly Command[]): Promise<void> {
  for (const command of commands) await PLAYS[command.do](stage, command as never);
}

type Plays = { [C in Command["do"]]: (stage: Stage, command: Extract<Command, { do: C }>) => Promise<void> };

const PLAYS: Plays = {
  ...DOINGS,
  async undelete(stage, { entity, pick }) {
    const ids = await stage.crms.salesforce.bin(entity);
    const id = ids[pick % Math.max(1, ids.length)];
    if (id !== undefined) await stage.crms.salesforce.undelete(entity, id);
  },
  async restore(stage, { entity, pick }) {
    const { sql } = stage.bed;
    const rows = await sql<{ id: string }[]>`
      select id from ${sql(`public.${ENTITIES[entity].table}`)}
       where workspace_id = ${stage.workspace} and deleted_at is not null order by created_at, id`;
    const row = rows[pick % Math.max(1, rows.length)];
    if (row !== undefined)
      await sql`update ${sql(`public.${ENTITIES[entity].table}`)} set deleted_at = null where id = ${row.id}`;
  },
  async merge(stage, { system, entity, pick, other }) {
    const crm = stage.crms[system];
    const winner = await chosenRow(crm, entity, pick);
    const loser = await chosenRow(crm, entity, other);
    if (winner === null || loser === null || winner.id === loser.id) return;
    await crm.merge(entity, winner.id, loser.id);
    for (const row of [winner, loser]) stage.ledger.removed(row.marker, row.values);
  },
  async sync(stage, { system, blows }) {
    await runConnection(stage.bed, { config: stage.configs[system], random: stage.random, blows });
  },
  async trouble(stage, { system, trouble }) {
    TROUBLE[trouble](stage.bed.mocks[system].control);
  },
};

const TROUBLE: Record<Trouble, (control: Mock["control"]) => void> = {
  limited: (control) => void control.knobs({ next429: 3 }),
  flaky: (control) => void control.knobs({ errorRate: 0.1 }),
  lost_replies: (control) => void control.knobs({ lostReplyRate: 0.1 }),
  expired_token: (control) => control.expireTokens(),
  rotating_tokens: (control) => void control.knobs({ rotateRefreshTokens: true }),
  search_lag: (control) => void control.knobs({ searchLagMs: 30 }),
};
