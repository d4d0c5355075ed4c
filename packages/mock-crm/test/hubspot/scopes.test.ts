import { describe, expect, it } from "vitest";
import { CLIENT, call, consent, hubspot, jsonOf, postForm, REDIRECT } from "../support.ts";

const READ = "oauth crm.objects.contacts.read";

async function tokenFor(url: string, scope: string): Promise<string> {
  const back = await consent(`${url}/oauth/authorize`, { scope, state: "s" });
  const { body } = await postForm(`${url}/oauth/2026-03/token`, {
    grant_type: "authorization_code",
    code: back.searchParams.get("code") ?? "",
    redirect_uri: REDIRECT,
    client_id: CLIENT.id,
    client_secret: CLIENT.secret,
  });
  return String(body.access_token);
}

const post = (token: string, address: string, body: object) =>
  call(token, address, { method: "POST", body: JSON.stringify(body) });

describe("HubSpot scopes", () => {
  it("let nobody read or write what the consent does not cover, and name what is missing", async () => {
    const { mock } = await hubspot();
    const token = await tokenFor(mock.url, READ);
    const contacts = `${mock.url}/crm/v3/objects/contacts`;
    expect((await call(token, contacts)).status).toBe(200);
    expect((await post(token, `${contacts}/search`, {})).status).toBe(200);
    const refused = await post(token, `${contacts}/batch/create`, { inputs: [{ properties: { lastname: "A" } }] });
    expect(refused.status).toBe(403);
    expect(await jsonOf(refused)).toMatchObject({
      category: "MISSING_SCOPES",
      errors: [{ context: { requiredGranularScopes: ["crm.objects.contacts.write"] } }],
    });
    expect((await call(token, `${mock.url}/crm/v3/objects/deals`)).status).toBe(403);
    const ties = `${mock.url}/crm/v4/associations/contacts/companies/batch`;
    expect((await post(token, `${ties}/read`, { inputs: [{ id: "1" }] })).status).toBe(207);
    expect((await post(token, `${ties}/archive`, { inputs: [] })).status).toBe(403);
  });

  it("are withheld by the knob readOnly, for writing only", async () => {
    const { mock, token } = await hubspot({ knobs: { readOnly: ["contacts"] } });
    const write = (object: string) => post(token, `${mock.url}/crm/v3/objects/${object}`, { properties: {} });
    expect((await call(token, `${mock.url}/crm/v3/objects/contacts`)).status).toBe(200);
    expect((await write("contacts")).status).toBe(403);
    expect((await write("companies")).status).toBe(201);
    expect(
      mock.control.records([{ action: "create", type: "contacts", fields: { lastname: "By hand" } }]),
    ).toHaveLength(1);
  });
});
