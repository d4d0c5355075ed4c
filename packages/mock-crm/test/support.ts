import { createHash, randomBytes } from "node:crypto";
import { Client } from "@hubspot/api-client";
import { Connection } from "jsforce";
import { afterEach } from "vitest";
import {
  type HubSpotMockOptions,
  type Mock,
  type SalesforceMockOptions,
  startHubSpotMock,
  startSalesforceMock,
} from "../src/index.ts";

export const API_VERSION = "62.0";
export const REDIRECT = "http://127.0.0.1:9/callback";
export const CLIENT = { id: "pipeline-crm-local", secret: "local-only-secret" };

const started: Mock[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((mock) => mock.stop()));
});

/** A mock that stops by itself after the test, and jsforce connected to it. */
export async function salesforce(options: SalesforceMockOptions = {}) {
  const mock = await startSalesforceMock({ data: "generated", records: 20, ...options });
  started.push(mock);
  const { token } = mock.control.issueToken();
  const connection = new Connection({ instanceUrl: mock.url, accessToken: token, version: API_VERSION });
  return { mock, token, connection };
}

/** A mock that stops by itself after the test, and HubSpot's client connected to it. */
export async function hubspot(options: HubSpotMockOptions = {}) {
  const mock = await startHubSpotMock({ data: "generated", records: 20, ...options });
  started.push(mock);
  const { token } = mock.control.issueToken();
  const client = new Client({ accessToken: token, basePath: mock.url, numberOfApiCallRetries: 1 });
  return { mock, token, client };
}

export function pkcePair(bytes = 32): { verifier: string; challenge: string } {
  const verifier = randomBytes(bytes).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}

/** Where the consent page sends the browser. */
export async function consent(address: string, parameters: Record<string, string>): Promise<URL> {
  const url = new URL(address);
  url.search = new URLSearchParams({ client_id: CLIENT.id, redirect_uri: REDIRECT, ...parameters }).toString();
  const response = await fetch(url, { redirect: "manual" });
  const location = response.headers.get("location");
  if (location === null) throw new Error(`No redirect but ${response.status} ${await response.text()}`);
  return new URL(location);
}

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

export async function postForm(address: string, form: Record<string, string>): Promise<Answer> {
  const response = await fetch(address, { method: "POST", body: new URLSearchParams(form) });
  return { status: response.status, body: await jsonOf(response) };
}

export async function call(token: string, address: string, init: RequestInit = {}): Promise<Response> {
  return fetch(address, { ...init, headers: { Authorization: `Bearer ${token}`, ...init.headers } });
}

export async function jsonOf(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text();
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** What a call that must fail was refused with. */
export async function refusal(
  run: () => PromiseLike<unknown>,
): Promise<Error & { code?: number; body?: unknown; data?: unknown }> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error("The call was expected to fail.");
}
