import "../lib/quiet-node20.ts";
import { join } from "node:path";
import pc from "picocolors";
import { DEMO_PEOPLE } from "../lib/people.ts";
import { PROJECT_ROOT, startWorkbench, type Workbench } from "../lib/workbench.ts";
import { type ConnectionResult, connectBoth, PROVIDER_NAMES, type Provider, syncOne } from "./connections.ts";
import { DemoConsole } from "./console.ts";
import { untilAsked } from "./interrupt.ts";
import { type DemoOptions, HELP, readOptions } from "./options.ts";
import { runProgram } from "./program.ts";
import { formatCount, renderPipeline } from "./render.ts";
import { type DemoWorkspace, seedDemo } from "./seed.ts";
import { type PipelineTotals, readPipeline } from "./summary.ts";
import { keepApart, showTwoWay, type TwoWayMoment } from "./two-way.ts";

interface DemoResult {
  salesforce: ConnectionResult;
  hubspot: ConnectionResult;
  pipeline: PipelineTotals;
  pipeline_all: PipelineTotals;
  two_way: TwoWayMoment;
}

function endpointOf({ stack }: Workbench) {
  return { apiUrl: stack.apiUrl, publishableKey: stack.publishableKey, secretKey: stack.secretKey };
}

async function runDemo(workbench: Workbench, workspace: DemoWorkspace, console: DemoConsole): Promise<DemoResult> {
  console.step("Connecting Salesforce and HubSpot through their consent pages …");
  const configs = await connectBoth(workbench, workspace);
  await keepApart(workspace.owner, configs);
  const salesforce = await syncOne("salesforce", configs.salesforce, workspace.owner, console);
  const hubspot = await syncOne("hubspot", configs.hubspot, workspace.owner, console);
  const pipeline = await readPipeline(workspace.owner, workspace.id);
  const two_way = await showTwoWay(workspace, configs.salesforce, workbench.mocks.salesforce.url);
  return { salesforce, hubspot, pipeline: pipeline.salesforce, pipeline_all: pipeline.all, two_way };
}

function showSummary(result: DemoResult, console: DemoConsole): void {
  console.say();
  for (const provider of ["salesforce", "hubspot"] as const satisfies Provider[]) {
    const { accounts, contacts, opportunities, seconds, status } = result[provider];
    console.say(
      `  ${pc.bold(PROVIDER_NAMES[provider].padEnd(11))} ${formatCount(accounts)} accounts, ${formatCount(contacts)} contacts, ` +
        `${formatCount(opportunities)} opportunities in ${seconds} s (${status})`,
    );
  }
  console.say();
  console.say(renderPipeline("Pipeline from Salesforce", result.pipeline));
  console.say();
  console.say(renderPipeline("Pipeline of the whole workspace", result.pipeline_all));
  console.say();
  const { deal, in_salesforce, seconds } = result.two_way;
  console.say(
    `  Two-way: the next step of "${deal}", edited here, in Salesforce ${seconds} s later: "${in_salesforce}"`,
  );
}

function showHowToUse(workbench: Workbench, workspace: DemoWorkspace, console: DemoConsole): void {
  const { stack, mocks } = workbench;
  console.say(`
  API              ${stack.apiUrl}
  Database         ${stack.dbUrl}
  Publishable key  ${stack.publishableKey}
  Secret key       ${stack.secretKey}
  Mock Salesforce  ${mocks.salesforce.url}
  Mock HubSpot     ${mocks.hubspot.url}
  Workspace        ${workspace.id}

  People (email / password)`);
  for (const person of DEMO_PEOPLE)
    console.say(`    ${person.role.padEnd(8)} ${person.email.padEnd(22)} ${person.password}`);
  console.say(`
  Try it:
    const supabase = createClient("${stack.apiUrl}", "${stack.publishableKey}")
    await supabase.auth.signInWithPassword({ email: "owner@demo.example", password: "${DEMO_PEOPLE[0]?.password}" })
    await supabase.from("pipeline_summary").select("*")
    await supabase.from("crm_companies").select("name, domain, industry").order("name").limit(10)
    await supabase.from("crm_deals").select("name, amount, stage").eq("stage", "won").order("amount", { ascending: false }).limit(5)

  Press Ctrl-C to stop everything.`);
}

async function main(options: DemoOptions): Promise<void> {
  const console = new DemoConsole(options.json);
  const asked = untilAsked();
  const workbench = await startWorkbench({
    portBase: options.portBase,
    dataDir: process.env.PIPELINE_DATA_DIR ?? join(PROJECT_ROOT, ".stack"),
    say: (line) => console.step(line),
  });
  try {
    const demo = (async () => {
      console.step("Seeding the demo workspace …");
      const workspace = await seedDemo(endpointOf(workbench));
      return { workspace, result: await runDemo(workbench, workspace, console) };
    })();
    const ended = await Promise.race([demo, asked.then(() => null)]);
    if (!ended) return;
    showSummary(ended.result, console);
    if (options.json) process.stdout.write(`${JSON.stringify(ended.result)}\n`);
    if (options.once) return;
    showHowToUse(workbench, ended.workspace, console);
    await asked;
  } finally {
    console.step("Stopping …");
    await workbench.stop();
  }
}

await runProgram({ help: HELP, readOptions, main });
