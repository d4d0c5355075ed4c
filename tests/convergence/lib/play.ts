import type { Mock } from "../../../packages/mock-crm/src/index.ts";
import { createRandom } from "../../../packages/mock-crm/src/shared/random.ts";
import { type Bed, connectMock, newWorkspace } from "./bed.ts";
import type { Command, History, Trouble } from "./commands.ts";
import { type Blow, EarlierPages } from "./fate.ts";
import { type CrmName, ENTITIES } from "./fields.ts";
import { Ledger } from "./ledger.ts";
import { type Meddler, meddled } from "./meddling.ts";
import { DOINGS, mergeTwo } from "./people.ts";
import { Memory, revivals } from "./revival.ts";
import { type RunEnd, runConnection } from "./run.ts";
import { CRMS, type Scene } from "./scene.ts";
import { appSystem, crmSystem, MARKER } from "./systems.ts";

/** Where a history takes place. */
export interface Stage extends Scene {
  bed: Bed;
  random: () => number;
  /** What the pages of former runs brought. */
  earlier: Record<CrmName, EarlierPages>;
  /** What went wrong on the way. */
  accusations: string[];
  memory: Memory;
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
  const earlier = { salesforce: new EarlierPages(), hubspot: new EarlierPages() };
  const scene = { sql: bed.sql, workspace, configs, crms, app, ledger: new Ledger() };
  return { ...scene, bed, random: createRandom(seed), earlier, accusations: [], memory: new Memory() };
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

/** One run of a connection; what people do meanwhile, they do in this scene. */
export async function syncOnce(stage: Stage, system: CrmName, blows: readonly Blow[]): Promise<RunEnd> {
  const { bed, random, earlier } = stage;
  const meddle: Meddler = (meddling, inHand) => meddled(stage, system, meddling, inHand);
  const accuse = (fault: string) => void stage.accusations.push(fault);
  const options = { config: stage.configs[system], random, blows, meddle, earlier: earlier[system], accuse };
  const end = await runConnection(bed, options);
  stage.accusations.push(...(await revivals(stage, stage.memory)));
  return end;
}

type Plays = { [C in Command["do"]]: (stage: Stage, command: Extract<Command, { do: C }>) => Promise<void> };

const PLAYS: Plays = {
  ...DOINGS,
  async undelete(stage, { entity, pick }) {
    const live = new Set((await stage.crms.salesforce.list(entity)).map((row) => row.marker));
    // One that was restored here is there anew: a person who takes the old one out of the bin as well makes a double of it.
    const gone = (await stage.crms.salesforce.bin(entity)).filter((row) => !live.has(row.marker));
    const one = gone[pick % Math.max(1, gone.length)];
    if (one === undefined) return;
    await stage.crms.salesforce.undelete(entity, one.id);
    stage.ledger.restored(one.marker);
  },
  async restore(stage, { entity, pick }) {
    const { sql } = stage.bed;
    const rows = await sql<{ id: string; marker: string }[]>`
      select id, ${sql(MARKER[entity])} as marker from ${sql(`public.${ENTITIES[entity].table}`)}
       where workspace_id = ${stage.workspace} and deleted_at is not null order by created_at, id`;
    const row = rows[pick % Math.max(1, rows.length)];
    if (row === undefined) return;
    await sql`update ${sql(`public.${ENTITIES[entity].table}`)} set deleted_at = null where id = ${row.id}`;
    stage.ledger.restored(row.marker);
  },
  merge: mergeTwo,
  async sync(stage, { system, blows }) {
    await syncOnce(stage, system, blows);
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
