import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startSalesforceMock } from "../src/index.ts";
import { CLIENT, call, consent, hubspot, jsonOf, postForm, REDIRECT, salesforce } from "./support.ts";

async function control(url: string, path: string, body?: unknown) {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${url}/__control/${path}`, init);
  return { status: response.status, body: await jsonOf(response) };
}

describe("control endpoint", () => {
  it("creates, edits, deletes, restores and merges records", async () => {
    const { mock, connection } = await salesforce();
    const made = await control(mock.url, "records", { action: "create", type: "Account", fields: { Name: "Firm" } });
    const [{ id }] = made.body.results as [{ id: string }];
    const steps = {
      actions: [
        { action: "edit", type: "Account", id, fields: { Name: "Firm 2" } },
        { action: "delete", type: "Account", id },
      ],
    };
    expect((await control(mock.url, "records", steps)).status).toBe(200);
    await control(mock.url, "records", { action: "undelete", type: "Account", id });
    expect(await connection.sobject("Account").retrieve(id)).toMatchObject({ Name: "Firm 2", IsDeleted: false });
  });

  it("edits thousands at once, each with a number of its own", async () => {
    const { mock, connection } = await salesforce({ records: 3000 });
    const touched = await control(mock.url, "records", {
      action: "touch",
      type: "Contact",
      from: 500,
      count: 2500,
      fields: { Title: "T{n}" },
    });
    expect(touched.body.results).toEqual([{ count: 2500 }]);
    const since = new Date(Date.now() - 60_000).toISOString();
    const { totalSize } = await connection.query(`SELECT Id FROM Contact WHERE SystemModstamp >= ${since}`);
    expect(totalSize).toBe(2500);
    const hub = await hubspot({ records: 300 });
    hub.mock.control.records([{ action: "touch", type: "contacts", count: 300, fields: { jobtitle: "J{n}" } }]);
    const [first] = hub.mock.control.list("contacts", 7, 1) as { properties: { jobtitle: string } }[];
    expect(first?.properties.jobtitle).toBe("J7");
  });

  it("can write what the API would refuse", async () => {
    const { mock } = await salesforce();
    const [row] = mock.control.list("Contact", 0, 1) as { Id: string }[];
    mock.control.records([{ action: "dirty", type: "Contact", id: row?.Id ?? "", fields: { LastName: null } }]);
    expect(mock.control.list("Contact", 0, 1)).toMatchObject([{ LastName: null }]);
  });

  it("says in one sentence what is wrong with a request", async () => {
    const { mock } = await salesforce();
    const answers = await Promise.all([
      control(mock.url, "knobs", { latency: 5 }),
      control(mock.url, "records", { action: "edit", type: "Contact", id: "nope", fields: {} }),
      control(mock.url, "records", { action: "associate", from: { type: "a", id: "1" }, to: { type: "b", id: "2" } }),
    ]);
    expect(answers.map((answer) => answer.status)).toEqual([400, 400, 400]);
    expect(answers[0]?.body.error).toContain('Unrecognized key: "latency"');
    expect(answers[2]?.body.error).toBe('Salesforce records know no action "associate".');
  });

  it("counts calls by family and kind, and rows really written", async () => {
    const { mock, connection } = await salesforce();
    await connection.query("SELECT Id FROM Contact");
    await connection.sobject("Contact").create([{ LastName: "One" }, { LastName: "Two" }]);
    await postForm(`${mock.url}/services/oauth2/token`, {});
    expect((await control(mock.url, "counters")).body).toMatchObject({
      requests: 3,
      reads: 1,
      writes: 1,
      token_calls: 1,
      rows_written: 2,
      families: { query: 1, collections: 1, token: 1 },
      statuses: { 200: 2, 400: 1 },
    });
  });

  it("resets data, knobs and counters to the start and keeps tokens unless told otherwise", async () => {
    const { mock, token } = await hubspot();
    const before = mock.control.list("contacts");
    mock.control.knobs({ latencyMs: 1 });
    mock.control.records([{ action: "touch", type: "contacts", count: 5, fields: { jobtitle: "New" } }]);
    await control(mock.url, "reset", {});
    expect(mock.control.list("contacts")).toEqual(before);
    expect(mock.control.knobs().latencyMs).toBe(0);
    expect(mock.control.counters().rows_written).toBe(0);
    expect((await call(token, `${mock.url}/crm/v3/owners`)).status).toBe(200);
    await control(mock.url, "reset", { tokens: true });
    expect((await call(token, `${mock.url}/crm/v3/owners`)).status).toBe(401);
  });

  it("resets to fewer deals, and to all of them again", async () => {
    const [hub, org] = [await hubspot(), await salesforce()];
    const counts = () => [hub.mock.control.list("deals").length, org.mock.control.list("Opportunity").length];
    const all = counts();
    const reset = (body: object) =>
      Promise.all([hub, org].map(({ mock }) => control(mock.url, "reset", body).then(({ status }) => status)));
    expect(await reset({ deals: 3 })).toEqual([200, 200]);
    expect(counts()).toEqual([3, 3]);
    await reset({});
    expect(counts()).toEqual(all);
    expect(Math.min(...all)).toBeGreaterThan(3);
  });

  it("issues, expires and revokes tokens", async () => {
    const { mock } = await salesforce();
    const issued = await control(mock.url, "tokens", { action: "issue" });
    const ask = async () =>
      (await call(String(issued.body.access_token), `${mock.url}/services/data/v62.0/limits`)).status;
    expect(await ask()).toBe(200);
    await control(mock.url, "tokens", { action: "expire" });
    expect(await ask()).toBe(401);
  });
});

describe("state file", () => {
  const app = { client_id: CLIENT.id, client_secret: CLIENT.secret };

  it("keeps a consent over a restart", async () => {
    const stateFile = join(mkdtempSync(join(tmpdir(), "mock-crm-")), "state.json");
    const first = await startSalesforceMock({ data: "generated", records: 1, stateFile });
    const back = await consent(`${first.url}/services/oauth2/authorize`, { response_type: "code" });
    const code = back.searchParams.get("code") ?? "";
    const tokens = await postForm(`${first.url}/services/oauth2/token`, {
      grant_type: "authorization_code",
      code,
      redirect_uri: REDIRECT,
      ...app,
    });
    await first.stop();
    const second = await startSalesforceMock({ data: "generated", records: 1, stateFile });
    const form = { grant_type: "refresh_token", refresh_token: String(tokens.body.refresh_token), ...app };
    const refreshed = await postForm(`${second.url}/services/oauth2/token`, form);
    await second.stop();
    expect([refreshed.status, existsSync(stateFile)]).toEqual([200, true]);
  });

  it("says which file is not readable", async () => {
    const stateFile = join(mkdtempSync(join(tmpdir(), "mock-crm-")), "state.json");
    writeFileSync(stateFile, "{");
    await expect(startSalesforceMock({ data: "generated", records: 1, stateFile })).rejects.toThrow(
      `The state file ${stateFile} is not readable as mock state; delete it to start afresh.`,
    );
  });
});
