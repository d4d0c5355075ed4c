import "../lib/quiet-node20.ts";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import pc from "picocolors";
import { formatDay, mondayOf, parseDay } from "../../supabase/functions/_shared/planning/time/days.ts";
import { connectCrm } from "../lib/oauth-browser.ts";
import { type Client, createAndSignIn, DEMO_PEOPLE, type Person } from "../lib/people.ts";
import { onFreePorts } from "../lib/ports.ts";
import { PROJECT_ROOT, startWorkbench, type Workbench } from "../lib/workbench.ts";
import { syncOne } from "./connections.ts";
import { DemoConsole } from "./console.ts";
import { untilAsked } from "./interrupt.ts";
import { copyMaven, monthsSince } from "./planning/dates.ts";
import { priceOpenDeals } from "./planning/deals.ts";
import { writeHistory } from "./planning/history.ts";
import { readCapacity, readFunnel, readHiring, readOutlook, refreshAnalytics } from "./planning/numbers.ts";
import { HELP, type PlanningOptions, readOptions } from "./planning/options.ts";
import { askForPeople, bringInTeam } from "./planning/people.ts";
import { renderTerminal } from "./planning/terminal.ts";
import { runProgram } from "./program.ts";
import type { PlanningReport } from "./report/data.ts";
import { renderPage } from "./report/page.ts";

const MAVEN = join(PROJECT_ROOT, "packages", "mock-crm", "data", "maven-crm-sales");
const MONTHS = 6;
const WEEKS = 18;
const RUNS = 10_000;
const SEED = 2017;
/** Beside the ports of `npm start`. */
const FIRST_PORT_BASE = 54_520;

const today = () => new Date().toISOString().slice(0, 10);
/** The Maven data are moved to end with the last month, so the forecast stands on the first of this one. */
const asOf = () => `${today().slice(0, 7)}-01`;

/** The first week that is wholly in what the forecast is about. */
const firstMonday = () => formatDay(mondayOf((parseDay(asOf()) as number) + 6));

function endpointOf({ stack }: Workbench) {
  return { apiUrl: stack.apiUrl, publishableKey: stack.publishableKey, secretKey: stack.secretKey };
}

async function openWorkspace(workbench: Workbench): Promise<{ owner: Client; id: string }> {
  const owner = await createAndSignIn(endpointOf(workbench), DEMO_PEOPLE[0] as Person);
  const { data, error } = await owner.rpc("create_workspace", { name: "Demo Planning" });
  if (error) throw new Error(`Could not create the workspace: ${error.message}`, { cause: error });
  return { owner, id: data.id };
}

/** Puts the deals, their past and the people there. */
async function fill(workbench: Workbench, console: DemoConsole): Promise<{ owner: Client; id: string }> {
  const { owner, id } = await openWorkspace(workbench);
  console.step("Connecting Salesforce …");
  const request = { workspaceId: id, returnUrl: workbench.returnUrl, provider: "salesforce" as const };
  await syncOne("salesforce", await connectCrm(owner, request), owner, console);
  console.step("Giving the deals their past and the open ones their list price …");
  await writeHistory(workbench.stack.dbUrl, id);
  await priceOpenDeals(owner, id, MAVEN);
  console.step("Bringing in the people from CSV files …");
  const people = await bringInTeam(owner, id, asOf());
  const demands = await askForPeople(owner, id, asOf());
  console.say(`    ${people} people, ${demands} demands on open deals`);
  return { owner, id };
}

async function readReport(owner: Client, id: string, console: DemoConsole): Promise<PlanningReport> {
  const analytics = console.counter("Working out the analytics …", "changes");
  await refreshAnalytics(owner, id, analytics.show);
  analytics.stop();
  const drawing = console.counter(`Drawing ${RUNS.toLocaleString("en")} runs, twice …`, "deals");
  const question = { workspace_id: id, as_of: asOf(), periods: MONTHS, runs: RUNS, seed: SEED };
  const { currency, ...forecast } = await readOutlook(owner, question, drawing.show);
  drawing.stop();
  console.step("Reading funnel, capacity and whom to hire …");
  return {
    title: "Pipeline, revenue and capacity",
    source: `Deals: CRM Sales Opportunities by Maven Analytics, moved ${monthsSince(today())} months on so that they end with last month; open deals at their list price. People, skills and demands are invented.`,
    asOf: asOf(),
    currency,
    funnel: await readFunnel(owner, id),
    forecast,
    capacity: await readCapacity(owner, id, firstMonday(), WEEKS),
    hiring: await readHiring(owner, id, firstMonday(), WEEKS),
  };
}

async function show(workbench: Workbench, { json, out }: PlanningOptions, console: DemoConsole): Promise<void> {
  const { owner, id } = await fill(workbench, console);
  const report = await readReport(owner, id, console);
  console.say(renderTerminal(report, console.columns));
  const page = resolve(out);
  await mkdir(dirname(page), { recursive: true });
  await writeFile(page, renderPage(report));
  console.say(`\n  The same as a page: ${pc.bold(page)}\n`);
  if (json) process.stdout.write(`${JSON.stringify({ ...report, page })}\n`);
}

/** Everything it starts is gone afterwards, also when it is interrupted. */
async function main(options: PlanningOptions): Promise<void> {
  const console = new DemoConsole(options.json);
  const asked = untilAsked();
  const dataDir = await mkdtemp(join(tmpdir(), "pipeline-crm-planning-"));
  const mavenFolder = join(dataDir, "maven");
  const start = (portBase: number) =>
    startWorkbench({ portBase, dataDir, mavenFolder, say: (line) => console.step(line) });
  let workbench: Workbench | null = null;
  try {
    await copyMaven(MAVEN, mavenFolder, monthsSince(today()));
    workbench = await (options.portBase === null ? onFreePorts(FIRST_PORT_BASE, start) : start(options.portBase));
    const interrupted = await Promise.race([show(workbench, options, console), asked.then(() => true)]);
    if (interrupted === true) throw new Error("Interrupted: nothing is left running.");
  } finally {
    console.step("Stopping …");
    await workbench?.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

await runProgram({ help: HELP, readOptions, main });
